"""Ctrl-C and SIGTERM, from the first line of a process to its last: one object receives both.

What a signal does depends on where the process is, which it says itself:

    leaving     while run.py imports what it needs: there is nothing to undo, the process ends at once
    unwinding   the rule: `Interrupted` is raised where the process is, so that nothing half done stays
    deferred    the signal is noted and said, and work goes on to a point where it can stop (`check`); a second one
                does not wait for that

Imports nothing that takes time: run.py is to receive signals before anything else happens.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from renaissance.errors import Interrupted

STOPPING = (signal.SIGINT, signal.SIGTERM)
BEFORE_THE_WORK = "interrupted before the work began: nothing to save"


class StopSignals:
    """Receives the signals that stop a process, and knows what to do with them.

    Attributes:
        received: the first signal that came; None as long as there was none.
        insisted: whether a further one came before the first was answered.
        begun: whether the process has come to its work, of which something may be saved.
        finished: whether the process has nothing left to do but to end.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.insisted = False
        self.begun = False
        self.finished = False
        self._process: int | None = None  # the one whose signals these are
        self._leaving = False
        self._notice: str | None = None  # of the deferral; None unwinds
        self._raised: Callable[[int], BaseException] = Interrupted
        self._noted = False  # whether a signal has come during this deferral

    def install(self, leaving: bool = False) -> None:
        """Receive the signals of this process from now on.

        Args:
            leaving: end the process at once on a signal, until `unwind` is called.
        """
        self._process = os.getpid()
        self._leaving = leaving
        for number in STOPPING:
            signal.signal(number, self._receive)
        sys.unraisablehook = _unraisable

    def begin(self) -> None:
        """The process has imported what it needs, and its work begins."""
        self.begun = True

    def unwind(self) -> None:
        """From now on a signal raises `Interrupted` rather than ending the process at once."""
        self._leaving = False

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Receive signals while the block runs; where that is so already (under run.py), nothing changes."""
        if self._process == os.getpid():
            yield
            return
        former, hook = {number: signal.getsignal(number) for number in STOPPING}, sys.unraisablehook
        self.install()
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            sys.unraisablehook = hook
            self.__init__()  # type: ignore[misc]  # as if nothing had happened

    @contextmanager
    def deferred(self, notice: str, raised: Callable[[int], BaseException] = Interrupted) -> Iterator[None]:
        """Note signals while the block runs, instead of unwinding. A second one in the block raises at once.

        Args:
            notice: what is going to happen, said when a signal comes.
            raised: makes what `check` and a second signal raise.
        """
        former = self._notice, self._raised, self._noted
        self._notice, self._raised, self._noted = notice, raised, False
        try:
            yield
        finally:
            self._notice, self._raised, self._noted = former

    def check(self) -> None:
        """Stop here, if a signal has come.

        Raises:
            Interrupted: it has; or what the deferral raises instead.
        """
        if self.received is not None:
            raise self._raised(self.received)

    def finish(self) -> None:
        """The work is done, or given up: a signal does not stop the process from writing its last lines and ending."""
        self.finished, self._noted = True, False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # forked off a moment ago: its parent answers for both
        if self._leaving:
            os.write(2, f"\n{BEFORE_THE_WORK}\n".encode())
            os._exit(128 + number)
        if self.received is None:
            self.received = number
        if self._noted:
            self.insisted = True
            if self.finished:
                os._exit(128 + number)
            raise self._raised(number)
        notice = "about to end" if self.finished else self._notice
        if notice is None:
            raise Interrupted(number)
        self._noted = True
        text = f"\n{signal.Signals(number).name}: {notice} (once more to stop at once)\n"
        os.write(2, text.encode())  # not by print: the signal may have come while something is being printed


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """What Python says of an exception in a destructor: nothing of an interruption, which the next `check` raises."""
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)


def leave(status: int) -> NoReturn:
    """End this process. After a signal or a fault nothing is waited for any more: what was to be ended has been.

    Libraries may be half imported by then, and whatever waits at the interpreter's end for threads or processes
    could wait for ever.
    """
    STOP.finish()
    if STOP.received is None and status == 0:
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # nobody reads it any more
    os._exit(status)


STOP = StopSignals()
