"""Addresses of databases without the names and passwords in them, which are kept in this process's environment alone.

A setting such as `mongo_url` may hold a name and a password. Settings are written down in many places: the run's
folder, checkpoints, other trackers, messages. So the address is told apart from what is secret in it at the first
touch, on the command line and in the setting's type; whoever connects asks for the whole with `with_credentials`. The
environment is where a process that this one starts finds it, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

VARIABLES = {"mongo_url": "RENAISSANCE_MONGO_URL", "sql_url": "RENAISSANCE_SQL_URL"}  # where a user can set them
FLAGS = {"-m": "mongo_url", "--mongo_db": "mongo_url", "-s": "sql_url", "--sql": "sql_url"}  # of Sacred
_SECRET_OPTION = re.compile(r"[^?&=]*(?:password|passwd|pwd|token|secret|properties)[^?&=]*=[^&'\"]*", re.IGNORECASE)


def without_credentials(setting: str, address: str) -> str:
    r"""An address without its name, its password and the options that hold secrets; the whole is kept for this process.

    Everything up to the last @ is taken for secret, also where it is written wrongly.

    Args:
        setting: whose it is, a key of `VARIABLES`.
        address: such as "mongodb://name:password@host:27017/database".
    """
    shown = re.sub(r"^([^/@]*?\w://)?.*@", lambda match: match[1] or "", address, flags=re.DOTALL)
    place, mark, options = shown.partition("?")
    if mark:
        kept = [option for option in options.split("&") if not _SECRET_OPTION.fullmatch(option)]
        shown = f"{place}?{'&'.join(kept)}" if kept else place
    if shown != address:
        os.environ[_kept_in(setting)] = address
    return shown


def with_credentials(setting: str, address: str | None) -> str | None:
    """The whole address: as it was given to this process, or as the user's environment variable has it.

    Args:
        setting: whose it is, a key of `VARIABLES`.
        address: as `without_credentials` gave it; None for that of the environment variable, if there is one.
    """
    of_user = os.environ.get(VARIABLES[setting]) or None
    if address is None:
        return of_user
    for whole in (os.environ.get(_kept_in(setting)), of_user):
        if whole and without_credentials(setting, whole) == address:
            return whole
    return address


def arguments_without_credentials(arguments: Sequence[str]) -> list[str]:
    """The words of a command line, without what is secret in settings and flags that take an address."""
    hidden: list[str] = []
    for number, word in enumerate(arguments):
        before = arguments[number - 1] if number else ""
        name, equals, value = word.partition("=")
        setting = FLAGS.get(name) or (name.strip() if name.strip() in VARIABLES else None)
        if before in FLAGS:
            hidden.append(without_credentials(FLAGS[before], word))
        elif word[:2] in FLAGS and not word.startswith("--") and len(word) > 2:  # -s and its value in one word
            hidden.append(word[:2] + without_credentials(FLAGS[word[:2]], word[2:]))
        elif equals and setting:
            quote = value[0] if value[:1] in ("'", '"') and value[-1:] == value[0] else ""
            inner = value[1:-1] if quote else value
            hidden.append(f"{name}={quote}{without_credentials(setting, inner)}{quote}")
        else:
            hidden.append(word)
    return hidden


def secrets_of(setting: str, address: str) -> list[str]:
    """What a message about an address must not hold: the name, the password and secret options in it, longest first."""
    authority = re.match(r"^(?:[^/@]*?\w://)?(.*)@", address, flags=re.DOTALL)
    parts = [authority[1], *authority[1].split(":", 1)] if authority else []
    parts += [option.partition("=")[2] for option in _SECRET_OPTION.findall(address)]
    return sorted({part for part in parts if part}, key=len, reverse=True)


def _kept_in(setting: str) -> str:
    return f"{VARIABLES[setting]}_AS_GIVEN"
