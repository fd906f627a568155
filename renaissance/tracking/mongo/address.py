"""Where a MongoDB is, what it is called in messages, and a connection that never waits long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from renaissance.credentials import secrets_of, stripped, with_credentials

if TYPE_CHECKING:
    from pymongo import MongoClient

DATABASE = "sacred"  # where an address names none, as Sacred and Omniboard have it
CONNECT_SECONDS = 3.0  # until a server counts as not there; a run that starts says so within five
ANSWER_SECONDS = 15.0  # that a server may take for one answer


@dataclass(frozen=True)
class Address:
    """A database on a MongoDB.

    Attributes:
        url: without name and password.
        database: its name.
        collection: of the runs.
        number: of the run that is to be overwritten there; None for a new one.
    """

    url: str
    database: str = DATABASE
    collection: str = "runs"
    number: int | None = None

    @classmethod
    def of_url(cls, url: str) -> Address:
        """The database that a `mongo_url` names."""
        named = re.match(r"^[^/]*://[^/]*/([^?]*)", url)
        return cls(url, (named and named[1]) or DATABASE)

    @property
    def server(self) -> str:
        """What it is called in messages and in `servers.json`, such as "127.0.0.1:27017/sacred"."""
        place = re.sub(r"^\w[\w+]*://", "", self.url).partition("?")[0].partition("/")[0]
        runs = "" if self.collection == "runs" else f".{self.collection}"
        return f"{place}/{self.database}{runs}"

    def client(self) -> MongoClient[dict[str, object]]:
        """A client that asks the server nothing yet. It retries nothing: the sender does, and wants to know of it.

        Raises:
            pymongo.errors.PyMongoError, ValueError: the address is none.
        """
        from pymongo import MongoClient

        return MongoClient(
            with_credentials("mongo_url", self.url),
            serverSelectionTimeoutMS=int(1000 * CONNECT_SECONDS),
            connectTimeoutMS=int(1000 * CONNECT_SECONDS),
            socketTimeoutMS=int(1000 * ANSWER_SECONDS),
            retryWrites=False,
            retryReads=False,
            maxPoolSize=2,
            appname="renaissance",
        )

    def reason(self, error: Exception) -> str:
        """Why a server did not do what it was asked, in a line, without anything secret."""
        text = " ".join(str(error).split()).rstrip(".")
        for part in secrets_of("mongo_url", with_credentials("mongo_url", self.url) or ""):
            text = text.replace(part, "***")
        text = re.split(r" \(configured timeouts|, Timeout: |, full error: ", text)[0].rstrip(",. ")
        text = re.sub(r"^\S+:\d+: ", "", text)  # the server, which is named before
        return without_credentials_in(text)[:300] or type(error).__name__


def without_credentials_in(text: str) -> str:
    """A message in which no address has a name or a password."""
    return re.sub(r"\w+://\S+@\S*", lambda match: stripped(match[0]), text)
