"""What a job runs: a process around a run, which has it save its state at the time limit, and goes on with it after.

Submitit writes a `RunInJob` into a file and calls it on the job's machine, anew whenever the job was queued again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renaissance.atomic_files import write_json
from renaissance.processes import entering
from renaissance.run_sets.member import Member
from renaissance.tracking.run_folder import GIVEN_FOLDER, RunFolder

LOOK_SECONDS = 0.5  # between two looks of a job at its run
RANKS = ("SLURM_PROCID", "SUBMITIT_LOCAL_GLOBALID")


@dataclass(frozen=True)
class JobFiles:
    """What a job and who follows it tell each other, in files that all machines see.

    Attributes:
        status: takes the exit status of the run, when all of it is over.
        stop: is there where the run is to save its state and end.
    """

    status: Path
    stop: Path

    @classmethod
    def of_member(cls, folder: Path, member: Member) -> JobFiles:
        """Those of a run."""
        return cls(folder / f"{member.file_name}.status.json", folder / f"{member.file_name}.stop")

    def read_status(self) -> int | None:
        """The exit status; None as long as the run is not over."""
        try:
            return int(json.loads(self.status.read_text())["status"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        """Forget what an earlier job left."""
        self.status.unlink(missing_ok=True)
        self.stop.unlink(missing_ok=True)


class RunInJob:
    """A run, started as a process within a job, and gone on with when the job was queued again.

    Args:
        new: the command line that begins it, from `run.py` on.
        resumed: the one that goes on with it.
        folder: its run folder.
        where: the folder that relative paths are counted from.
        files: what is told to who follows it.
    """

    def __init__(self, new: Sequence[str], resumed: Sequence[str], folder: Path, where: str, files: JobFiles) -> None:
        self._new = list(new)
        self._resumed = list(resumed)
        self._folder = folder
        self._where = where
        self._files = files
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Run until it ends; gives its exit status."""
        os.chdir(self._where)
        resumable = RunFolder(self._folder).last_checkpoint.exists()
        command = self._resumed if resumable else self._new
        self._process = subprocess.Popen(
            [*entering(), sys.executable, *command],
            env={**os.environ, GIVEN_FOLDER: str(self._folder)},
        )
        told = False
        # Not `wait`: it holds a lock that `checkpoint`, which interrupts it, would wait for.
        while (status := self._process.poll()) is None:
            if not told and self._files.stop.exists():
                self._process.send_signal(signal.SIGTERM)
                told = True
            time.sleep(LOOK_SECONDS)
        if all(os.environ.get(name, "0") == "0" for name in RANKS):
            write_json(self._files.status, {"status": status})
        return status

    def checkpoint(self) -> Any:
        """What submitit calls at the time limit: have the run save its state, and be called again in the next job.

        Returns:
            what is queued again; None where the run had come to its end.
        """
        from submitit.helpers import DelayedSubmission

        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with suppress(ChildProcessError):  # it may have been waited for a moment ago
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        if RunFolder(self._folder).finished:
            write_json(self._files.status, {"status": 0})
            return None
        return DelayedSubmission(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}  # a process is none of the next job's
