"""Runs that are interrupted at moments of their own processor time: for sweeping the moment through a whole run.

Importing takes longer than a small run, so this file is also the program of a server that has imported everything: it
forks off a process for each command line that it reads, and says how that ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from renaissance.tracking.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 60.0  # for a run to end, on a machine that does other things too


@dataclass
class Ended:
    """How a process ended.

    Attributes:
        status: its exit status as a shell gives it.
        seconds: of its own processor time, from its start to its end.
        output: what it said.
        left: processes of its session that outlived it.
    """

    status: int
    seconds: float
    output: str
    left: list[int]


class ForkServer:
    """Starts command lines in processes that have imported everything."""

    def __init__(self, server: subprocess.Popen[str], log: Path) -> None:
        self._server = server
        self._log = log

    def run(self, *words: str, sent: int | None = None, moment: float = 0.0) -> Ended:
        """`run.py <words>`, with the signal `sent` after `moment` seconds of its processor time."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([*words]) + "\n")
        self._server.stdin.flush()
        pid = int(self._server.stdout.readline())
        if sent is not None and _reached(pid, moment):
            os.kill(pid, sent)
        status, seconds = json.loads(_line(self._server, pid))
        return Ended(status, seconds, self._log.read_text(errors="replace"), alive_in_session(pid))


@contextmanager
def fork_server(tmp: Path) -> Iterator[ForkServer]:
    """A server while the block runs; its processes write to a file in `tmp`."""
    log = tmp / "output.txt"
    words = [sys.executable, "-m", "tests.training.sweeping", str(log)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield ForkServer(server, log)
        finally:
            server.kill()


def fault_of(ended: Ended, sent: int, folder: RunFolder) -> str | None:
    """What is wrong with the end of a run that got the signal `sent`; None where all is right.

    Right is either 130 or 143, saying so and with what was trained saved, or a run that had finished.
    """
    if ended.left:
        return f"processes are left: {ended.left}"
    if "Traceback" in ended.output or "Exception ignored" in ended.output:
        return "a traceback"
    summary = _summary(folder)
    status = None if summary is None else summary["status"]
    if ended.status not in (128 + sent, 0) or (ended.status == 0 and status != "finished"):
        return f"exit status {ended.status} of a run whose summary says {status}"
    if status == "finished":
        return None
    if folder.path.is_dir() and status != "interrupted":
        return f"its summary says {status}"
    if "interrupted" not in ended.output:
        return "nothing is said"
    if not folder.last_checkpoint.is_file() and ("nothing to save" not in ended.output or (summary or {}).get("steps")):
        return "nothing is saved"
    return None


def equal(one: RunFolder, other: RunFolder) -> bool:
    """Whether two runs have the same curve, results and last weights."""
    metrics = [sorted(folder.metrics.read_text().splitlines()) for folder in (one, other)]
    finals = [json.loads(folder.summary.read_text())["final"] for folder in (one, other)]
    first, second = (torch.load(folder.last_checkpoint, weights_only=True)["state_dict"] for folder in (one, other))
    return metrics[0] == metrics[1] and finals[0] == finals[1] and all(torch.equal(first[k], second[k]) for k in first)


def _summary(folder: RunFolder) -> dict[str, Any] | None:
    return json.loads(folder.summary.read_text()) if folder.summary.is_file() else None


def _reached(pid: int, moment: float) -> bool:
    """Wait until a process has used `moment` seconds; False where it ended before."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while (used := processor_seconds(pid)) is not None and used < moment:
        assert time.monotonic() < deadline, f"it has come to {used} seconds only"
        time.sleep(0.001)
    return used is not None


def processor_seconds(pid: int) -> float | None:
    """Processor time of a process, by Linux's number for the clock of one; None where it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            ended = file.read().rpartition(")")[2].split()[0] == "Z"
        return None if ended else time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


def _line(server: subprocess.Popen[str], pid: int) -> str:
    """The server's answer; a process that does not end is ended, and that is its fault."""
    import select

    assert server.stdout is not None
    ready, _, _ = select.select([server.stdout], [], [], LIMIT_SECONDS)
    if not ready:
        for process in alive_in_session(pid):
            os.kill(process, signal.SIGKILL)
    return server.stdout.readline()


def alive_in_session(leader: int) -> list[int]:
    """The processes of a session that are alive."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal():
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                found += [int(folder.name)] if int(session) == leader and state != "Z" else []
        except (OSError, ValueError):
            continue
    return found


def _serve(log: str) -> None:
    """Read command lines, fork off a process for each, and say its number and, later, how it ended."""
    import matplotlib.pyplot  # noqa: F401
    import transformers  # noqa: F401

    import renaissance.training.run  # noqa: F401
    import run
    from renaissance.stop_signals import STOP, leave

    for line in sys.stdin:
        begin, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            STOP.install(leaving=True)  # as run.py does first of all
            os.write(tell, b"!")
            leave(run.run_command_line(["run.py", *json.loads(line)]))
        os.close(tell)
        os.read(begin, 1)
        os.close(begin)
        print(pid, flush=True)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        seconds = time.clock_gettime((~pid << 3) | 2)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps([code if code >= 0 else 128 - code, seconds]), flush=True)


def words_of(log_dir: Path, data_root: Path, exp_name: str, workers: int, *more: str) -> Sequence[str]:
    """The command line of a small run: two validations, a test, and nothing that is drawn while it runs."""
    return (
        "with", "task_itm", "scenes", "tiny", "num_scenes=60", "num_gpus=0", f"num_workers={workers}", "batch_size=16",
        "per_gpu_batchsize=16", "eval_batch_size=4", "max_steps=4", "val_check_interval=2", "warmup_steps=0",
        "log_interval=1", f"data_root={data_root}", f"log_dir={log_dir}", f"exp_name={exp_name}", *more,
    )  # fmt: skip


if __name__ == "__main__":
    _serve(sys.argv[1])
