"""Runs as processes of this machine. None outlives the process that started it, and none is started twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from renaissance.locks import NO_LOCKS
from renaissance.processes import entering
from renaissance.run_sets.command_line import CommandLine
from renaissance.run_sets.launchers.gpus import Places
from renaissance.run_sets.member import Member
from renaissance.run_sets.set_folder import RunSet
from renaissance.stop_signals import STOP
from renaissance.tracking.run_folder import GIVEN_FOLDER, is_alive

WAIT_SECONDS = 0.2  # between two looks at a run of an earlier process
TAIL_BYTES, TAIL_LINES = 4000, 12


class LocalProcess:
    """A run in a process of its own.

    Args:
        process: the process.
        output: the file that it prints to.
        since: where in that file it began.
        release: called when it has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: Path, since: int, places: Places, place: int) -> None:
        self._process = process
        self._output = output
        self._since = since
        self._places = places
        self._place: int | None = place

    def poll(self) -> int | None:
        """Its exit status, negative for a signal that ended it; None as long as it goes on."""
        status = self._process.poll()
        if status is not None and self._place is not None:
            self._places.give_back(self._place)
            self._place = None
        return status

    def stop(self, signum: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signum)

    def kill(self) -> None:
        """End it at once, and whatever it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def problem(self) -> str:
        """The last lines that it printed."""
        return last_lines(self._output, self._since)


class LocalProcesses:
    """Starts runs as processes.

    Args:
        run_set: the set that they are of.
        command_line: the set's.
        places: which GPUs each run at once has.
        environment: of the processes, beside what they are told here.
    """

    stops_with_us = True

    def __init__(
        self, run_set: RunSet, command_line: CommandLine, places: Places, environment: Mapping[str, str] = os.environ
    ) -> None:
        self._run_set = run_set
        self._command_line = command_line
        self._places = places
        self._environment = dict(environment)

    def settle(self, member: Member) -> None:
        """Wait for a run whose starter was killed: it saves its state and ends.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM.
        """
        told = False
        while self._is_at_work(member):
            if not told:
                print(f"{member.name}: a process of an earlier start is still at work on it; waiting for its end")
                told = True
            STOP.check()
            time.sleep(WAIT_SECONDS)

    def start(self, member: Member, resume: bool) -> LocalProcess:
        """Start a process."""
        assert member.folder is not None
        place, visible = self._places.take()
        settings = {**member.settings, **({"resume_from": "auto"} if resume else {})}
        command = [*entering(), sys.executable, *self._command_line.of_run(settings)]
        output = self._run_set.output_of(member)
        output.parent.mkdir(exist_ok=True)
        with output.open("ab") as file, self._lock(member).open("a") as lock:
            _lock(lock)
            file.write(f"$ python {' '.join(command[len(entering()) + 1 :])}\n".encode())
            file.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**self._environment, **visible, GIVEN_FOLDER: member.folder},
                pass_fds=[lock.fileno()],  # held as long as any process has it: from before its first line to its end
                start_new_session=True,  # Ctrl-C reaches this process alone, which hands it on
            )
            since = output.stat().st_size
        return LocalProcess(process, output, since, self._places, place)

    def _lock(self, member: Member) -> Path:
        return self._run_set.output_of(member).with_name(f".{member.file_name}.lock")

    def _is_at_work(self, member: Member) -> bool:
        try:
            with self._lock(member).open("a") as file:
                free = _lock(file)
        except FileNotFoundError:
            free = True
        return not free or (member.folder is not None and is_alive(member.run))


def _lock(file: IO[str]) -> bool:
    """Lock a file, as far as its file system can; whether no other process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


def last_lines(output: Path, since: int = 0) -> str:
    """The last lines of what a run printed.

    Args:
        output: the file that it printed to.
        since: bytes of it that are of earlier starts.
    """
    try:
        with output.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(since, size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(line.rstrip() for line in text.strip().splitlines()[-TAIL_LINES:])
