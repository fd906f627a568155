"""Sacred's SQL observer, by the setting `sql_url`, whose errors are told once and end nothing.

Sacred's observer keeps a session for each thread, so that what the heartbeat's thread writes stays there until the
run's end; here all threads share one, one after the other.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any

from sacred.observers import SqlObserver
from sacred.observers.base import RunObserver

from renaissance.credentials import secrets_of, with_credentials
from renaissance.errors import UserError


class ForgivingObserver(RunObserver):
    """Hands Sacred's events on to its SQL observer.

    Args:
        observer: Sacred's.
        shown: the database's address without anything secret, for messages.
        secrets: what a message must not hold.
    """

    def __init__(self, observer: SqlObserver, shown: str, secrets: list[str]) -> None:
        self.priority = observer.priority
        self._observer = observer
        self._shown = shown
        self._secrets = secrets
        self._lock = Lock()
        self._started = self._told = False

    def started_event(self, *args: Any, **kwargs: Any) -> Any:
        """Hand on the beginning of the run; the number of the run there, None where it is not there."""
        number = self._hand_on("started_event", *args, **kwargs)
        self._started = number is not None
        return None  # a number that MongoDB and folders do not count by

    def heartbeat_event(self, *args: Any, **kwargs: Any) -> None:
        self._later("heartbeat_event", *args, **kwargs)

    def completed_event(self, *args: Any, **kwargs: Any) -> None:
        self._later("completed_event", *args, **kwargs)

    def interrupted_event(self, *args: Any, **kwargs: Any) -> None:
        self._later("interrupted_event", *args, **kwargs)

    def failed_event(self, *args: Any, **kwargs: Any) -> None:
        self._later("failed_event", *args, **kwargs)

    def _later(self, event: str, *args: Any, **kwargs: Any) -> None:
        if self._started:
            self._hand_on(event, *args, **kwargs)

    def _hand_on(self, event: str, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            try:
                return getattr(self._observer, event)(*args, **kwargs)
            except Exception as error:  # every database's driver has its own
                self._tell(error)
                try:
                    self._observer.session.rollback()
                except Exception:  # the database is still away: the next event finds that out, too
                    self._observer.session.remove()
                return None

    def _tell(self, error: Exception) -> None:
        if self._told:
            return
        self._told = True
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        print(
            f"warning: sql_url={self._shown}: {reason}. The run goes on; what this database lacks is not told again.",
            file=sys.stderr,
            flush=True,
        )


def forgiving_sql_observer(address: str) -> ForgivingObserver:
    """The observer for a `sql_url`, with what is secret in it left out.

    Raises:
        UserError: it is no address, or the package for its kind of database is missing.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.orm import scoped_session, sessionmaker

    whole = with_credentials("sql_url", address) or address
    try:
        engine = create_engine(whole)
    except (ArgumentError, ValueError) as error:
        raise UserError(f"sql_url={address}: is no address of a database, such as sqlite:///runs.db") from error
    except ImportError as error:
        raise UserError(f"sql_url={address}: needs a package that is not installed ({error.name})") from error
    session = scoped_session(sessionmaker(bind=engine), scopefunc=lambda: None)
    return ForgivingObserver(SqlObserver.create_from(engine, session), address, secrets_of("sql_url", whole))
