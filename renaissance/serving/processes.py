"""Several processes that answer at one address: each has its own copy of the models, and takes requests as they come.

In: the settings and a socket that listens. A process that ends by itself takes the others with it, with a message:
whoever runs the server is to know. A signal lets all of them finish.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from renaissance.errors import RunError
from renaissance.serving.limits import NOTICE, SECONDS_TO_FINISH
from renaissance.settings import Settings
from renaissance.stop_signals import STOP

SECONDS_A_LOOK = 0.1
Work = Callable[[Settings, socket.socket], None]


def run_processes(work: Work, settings: Settings, listening: socket.socket) -> None:
    """Run processes until a signal comes.

    Args:
        work: what each does until it gets a signal of its own.
        settings: of the command; `serve_processes` says how many.
        listening: what they all take connections from.

    Raises:
        RunError: one of them ended by itself.
    """
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_child, args=(work, settings, listening)) for _ in range(settings.serve_processes)
    ]
    with _interrupts_held():
        for process in processes:
            process.start()
    ended: list[Any] = []
    try:
        with STOP.deferred(NOTICE):
            while STOP.received is None and not ended:
                time.sleep(SECONDS_A_LOOK)
                ended = [process for process in processes if not process.is_alive()]
            for process in processes:
                process.terminate()
            end = time.monotonic() + SECONDS_TO_FINISH + 1
            for process in processes:
                process.join(max(0.0, end - time.monotonic()))
    finally:
        for process in processes:
            process.kill()
    if ended and STOP.received is None:
        raise RunError(f"A process of the server ended with status {ended[0].exitcode}; the others were ended, too.")


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which a terminal sends to all of them: this one ends them in order."""
    resource_tracker.ensure_running()  # else it is started with the first one, and then lets Ctrl-C through again
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _child(work: Work, settings: Settings, listening: socket.socket) -> None:
    STOP.install()
    STOP.begin()
    try:
        work(settings, listening)
    except BaseException:
        if STOP.received is None:
            raise
        raise SystemExit(128 + STOP.received) from None  # the signal came while it was loading
