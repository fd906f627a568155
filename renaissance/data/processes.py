"""Work spread over processes, with bounded memory, in order, and without orphans."""

from __future__ import annotations

import multiprocessing
import os
import signal
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

Task = TypeVar("Task")
Result = TypeVar("Result")

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
def only_one(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock `path`, and hold it; the system frees it however a process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: two prepares at once are the user's own care there
        yield
        return
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another process is at work here (it holds {path}); waiting for it to end …", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _begin(life: Connection) -> None:
    """Leave signals to the parent, and end when it lets go of the other end of `life`, as it also does by its death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def follow() -> None:
        life.poll(None)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
