"""A process that has imported what run.py imports, and forks for each command: `python run.py` without its start.

    python tests/warm.py <socket>

A child is what `python run.py <words>` is: run.py runs in it as `__main__`, with its own working folder, environment,
standard output and error, and it ends as Python ends. A request is a line of JSON with two file descriptors; the answer
is the child's process number, then its exit status, each a line. The process ends with the one that started it.
"""

from __future__ import annotations

import array
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# What a run imports on its way, of which nothing starts a thread.
IMPORTED = """
    matplotlib.backends.backend_agg renaissance.training.run renaissance.training.session renaissance.inference.model
    renaissance.tracking.curves renaissance.tracking.drawing.figure torch transformers pytorch_lightning
    transformers.models.bert.modeling_bert transformers.models.electra.modeling_electra
    transformers.models.deit.modeling_deit transformers.models.vit.modeling_vit
""".split()
LOOK_SECONDS = 0.02
MAIN = Path(f"/proc/self/task/{os.getpid()}/comm")
FORKED_WELL = {"jemalloc_bg_thd"}  # Arrow's, which jemalloc itself starts anew in a child
LONGEST = 1 << 20  # bytes of a request


def serve(listener: socket.socket) -> dict[str, Any]:
    """Fork for each request; comes back in the child alone, with what it is to run."""
    parent = os.getppid()
    children: dict[int, socket.socket] = {}
    while os.getppid() == parent:
        if select.select([listener], [], [], LOOK_SECONDS if children else 1.0)[0]:
            connection, _ = listener.accept()
            request, streams = _received(connection)
            pid = os.fork()
            if not pid:
                for held in (listener, connection, *children.values()):
                    held.close()
                for number, stream in enumerate(streams, start=1):
                    os.dup2(stream, number)
                    os.close(stream)
                return request
            for stream in streams:
                os.close(stream)
            connection.sendall(f"{pid}\n".encode())
            children[pid] = connection
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with children.pop(pid) as connection, suppress(OSError):  # whoever asked may be gone
                    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    text, streams, _, _ = socket.recv_fds(connection, LONGEST, 2)
    while not text.endswith(b"\n"):
        text += connection.recv(LONGEST)
    return json.loads(text), list(array.array("i", streams))


def become(request: dict[str, Any]) -> None:
    """Be the process that was asked for, up to its end."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [request["program"], *request["words"]]
    sys.orig_argv = [sys.executable, *sys.argv]
    sys.path[0] = str(Path(request["program"]).resolve().parent)
    runpy.run_path(request["program"], run_name="__main__")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        import config  # noqa: F401  # first: it silences a warning that importing Sacred gives

        for module in IMPORTED:
            __import__(module)
        names = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm") if path != MAIN}
        if names - FORKED_WELL:
            sys.exit(f"threads {sorted(names - FORKED_WELL)}: a process that is forked must have none")
        gc.freeze()  # else a child's first collection copies all pages
        listener.listen()
        request = serve(listener)
    become(request)
