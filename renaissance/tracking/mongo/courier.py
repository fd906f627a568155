"""The thread that brings a record to its server while the run goes on, and says when that does not work.

The run never waits for it. A server that does not answer is asked again, after one second, then two, then four, up to a
minute. What is not sent meanwhile takes no room: the record itself is what is to be sent.
"""

from __future__ import annotations

import sys
import time
from threading import Condition, Thread

from renaissance.stop_signals import STOP
from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.sender import Sender

INTERVAL_SECONDS = 5.0  # between two looks at the record
LONGEST_PAUSE_SECONDS = 60.0  # between two attempts
LAST_PAUSE_SECONDS = 1.0  # the same when the run has ended and waits for it


class Courier:
    """Sends a record again and again, until the run has ended and the server has all of it.

    Args:
        address: the server.
        kept_in: where the record lies until it is sent, in words.
    """

    def __init__(self, address: Address, kept_in: str = "the run's folder") -> None:
        self._address = address
        self._kept_in = kept_in
        self._sender: Sender | None = None
        self._changed = Condition()
        self._ending = self._leaving = self._sent = False
        self._reason: str | None = None  # why the last attempt failed
        self._number_told = False
        self._told = False  # whether a failure was said that no success has followed
        self._thread = Thread(target=self._work, name="mongo", daemon=True)

    @property
    def reason(self) -> str | None:
        """Why the last attempt failed; None where it did not."""
        return self._reason

    def start(self) -> None:
        """Ask the server whether it is there, while the run is being prepared."""
        self._thread.start()

    def carry(self, sender: Sender, kept_in: str) -> None:
        """Send a record from now on."""
        with self._changed:
            self._sender, self._kept_in = sender, kept_in
            self._changed.notify_all()

    def finish(self, seconds: float) -> bool:
        """Wait until all of a record that has ended is sent, but not longer than `seconds`; whether it is.

        Ctrl-C or SIGTERM end the waiting.
        """
        until, interrupted = time.monotonic() + seconds, STOP.received is not None
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            while not self._sent and self._thread.is_alive() and (left := until - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.5))
                if STOP.received is not None and not interrupted:
                    break
            return self._sent

    def leave(self) -> None:
        """End the thread as soon as it comes back from where it is."""
        with self._changed:
            self._leaving = True
            self._changed.notify_all()

    def _work(self) -> None:
        pause = 1.0
        while not self._leaving:
            with self._changed:
                sender, ending = self._sender, self._ending
            try:
                done = self._attempt(sender, ending)
            except Exception as error:  # of a driver, a server, a disk: the run goes on whatever it is
                self._failed(error, sender)
                self._wait(LAST_PAUSE_SECONDS if ending else pause, sender, ending)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            self._succeeded(sender)
            pause = 1.0
            if done:
                break
            self._wait(INTERVAL_SECONDS, sender, ending)
        if self._sender is not None:
            self._sender.close()

    def _attempt(self, sender: Sender | None, ending: bool) -> bool:
        """Send what there is; whether the run has ended and the server has been seen to have all of it."""
        if sender is None:
            with self._address.client() as client:
                client[self._address.database][self._address.collection].find_one({}, {"_id": 1})
            return False
        sender.send()
        if not ending:
            return False
        if not sender.check():
            sender.send()
        with self._changed:
            self._sent = True
            self._changed.notify_all()
        return True

    def _wait(self, seconds: float, sender: Sender | None, ending: bool) -> None:
        """Wait, unless something comes in between: a record to carry, the end of the run."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._leaving or self._sender is not sender or self._ending != ending, timeout=seconds
            )

    def _failed(self, error: Exception, sender: Sender | None) -> None:
        self._reason = self._address.reason(error)
        if sender is not None:
            sender.forget()
        if not self._told and not self._leaving:
            self._told = True
            say(
                f"warning: MongoDB {self._address.server}: {self._reason}. The run goes on; its record is kept in "
                f"{self._kept_in}, and is sent when the server takes it."
            )

    def _succeeded(self, sender: Sender | None) -> None:
        number = "" if sender is None else f", run {sender.number}"
        if self._told and sender is not None:
            self._told = False
            say(f"MongoDB {self._address.server}{number}: all is sent that was kept")
        elif sender is not None and self._reason is None and not self._number_told:
            self._number_told = True
            say(f"MongoDB {self._address.server}{number}")
        self._reason = None


def say(text: str) -> None:
    """Print a line on standard error in one piece, whatever else is being printed."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
