"""Work spread over processes, with bounded memory, in order, and without orphans."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from renaissance.stop_signals import STOPPING

Task = TypeVar("Task")
Result = TypeVar("Result")

ENTER = Path(__file__).with_name("enter.py")
AHEAD = 2  # tasks a process that wait or whose results wait
ALONE_SECONDS = 2.0  # about what starting the processes takes: shorter work is done without them


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(function: Callable[[Task], Result], tasks: Iterable[Task], processes: int) -> Iterator[Result]:
    """`function` of each task, in the order of the tasks; only a few tasks are taken ahead.

    Args:
        function: a function of a module, since it is sent to other processes.
        tasks: what to work on, taken as needed.
        processes: how many; 1 works in this process, as does any number for the first ALONE_SECONDS.

    Raises:
        RuntimeError: a process was killed from outside.
    """
    started = time.monotonic()
    tasks = iter(tasks)
    while processes == 1 or time.monotonic() - started < ALONE_SECONDS:
        try:
            task = next(tasks)
        except StopIteration:
            return
        yield function(task)
    # Spawned, not forked: the parent may have threads (progress bars, PyTorch), whose locks a fork would inherit.
    context = multiprocessing.get_context("spawn")
    life, hold = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(life,))
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            with children_unsignalled():  # a process starts where there is none that is idle
                waiting.append(pool.submit(function, task))
            if len(waiting) >= AHEAD * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        pool.shutdown()
    except BrokenProcessPool:
        raise RuntimeError(
            "A worker process was killed, perhaps because memory ran out. What is done is kept: run the command again."
        ) from None
    finally:
        hold.close()  # after an interruption the processes end at once, in the middle of their tasks
        pool.shutdown(cancel_futures=True)
        life.close()


@contextmanager
def children_unsignalled() -> Iterator[None]:
    """Processes that are started in the block never see Ctrl-C and SIGTERM, from their first moment on.

    Both reach a whole process group, and the main process answers them: it saves, then ends the others.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def entering(signum: int = signal.SIGTERM) -> list[str]:
    """What a command line follows whose process is not to outlive this one (`enter.py`).

    Args:
        signum: what it is sent at the end of this process.
    """
    # -I -S: it needs nothing that is installed
    return [sys.executable, "-I", "-S", str(ENTER), str(os.getpid()), str(int(signum))]


def obey_parent_only() -> None:
    """In a process that works for another: leave Ctrl-C and SIGTERM to that, but end on the SIGTERM that it sends.

    Python itself sends one to what is left at the parent's end, and waits: a process that ignored it would be waited
    for for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not hasattr(signal, "sigwaitinfo"):  # macOS cannot tell who sent a signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    parent = os.getppid()

    def follow() -> None:
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
            pass
        os._exit(0)

    threading.Thread(target=follow, daemon=True).start()


def _begin(life: Connection) -> None:
    """Leave signals to the parent, and end when it lets go of the other end of `life`, as it also does by its death."""
    obey_parent_only()

    def follow() -> None:
        life.poll(None)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
