"""Runs as jobs of SLURM, through submitit (https://github.com/facebookincubator/submitit).

A job is a small process around the run (`in_job.py`). Before the time limit SLURM sends that SIGUSR2; it has the
run save its state, and submitit queues the job again, which then resumes the run in its folder. Lightning's own way of
doing so is off (`training/callbacks/signals.py`). With `submit=local` submitit's local executor does all of it without
SLURM.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from renaissance.errors import UserError
from renaissance.locks import process_exists
from renaissance.run_sets.command_line import CommandLine
from renaissance.run_sets.launchers.in_job import JobFiles, RunInJob
from renaissance.run_sets.launchers.local import last_lines
from renaissance.run_sets.member import Member
from renaissance.run_sets.set_folder import RunSet
from renaissance.settings.schema import Settings

GRACE_SECONDS = 20.0  # that a job's last file may take to be seen, after SLURM says that the job is gone
# What a job that is over is called, by SLURM and by submitit's local executor.
GONE = ("FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "COMPLETED",
        "INTERRUPTED", "FINISHED")  # fmt: skip
OF_ANOTHER_PROCESS = "NO PROCESS AND NO RESULT"  # a local job that this process has not started


class Job:
    """A job that a run is computed in.

    Args:
        job: submitit's.
        files: what the job tells.
    """

    def __init__(self, job: Any, files: JobFiles) -> None:
        self._job = job
        self._files = files
        self._gone_since: float | None = None

    def poll(self) -> int | None:
        """The run's exit status; 1 of a job that is gone without one, None as long as it goes on."""
        status = self._files.read_status()
        if status is not None or not self._is_gone():
            return status
        self._gone_since = self._gone_since or time.monotonic()
        return 1 if time.monotonic() - self._gone_since >= GRACE_SECONDS else None

    def stop(self, signum: int) -> None:
        """Ask it to have the run save its state and end."""
        self._files.stop.touch()

    def kill(self) -> None:
        """Cancel it."""
        self._job.cancel(check=False)

    def problem(self) -> str:
        """The last lines that it printed."""
        printed = [last_lines(Path(path)) for path in (self._job.paths.stdout, self._job.paths.stderr)]
        return "\n".join(text for text in printed if text) or f"job {self._job.job_id}: {self._job.state}"

    def _is_gone(self) -> bool:
        state = str(self._job.state)
        if state == OF_ANOTHER_PROCESS:  # a local job's number is its process's
            return not process_exists(int(self._job.job_id))
        return state.split(" ")[0].upper() in GONE  # such as "CANCELLED by 1000"


class Jobs:
    """Submits runs.

    Args:
        settings: what jobs ask for.
        folder: of what submitit needs; on a file system that all machines share.
        command_line: of the set, or of the run.
    """

    stops_with_us = False

    def __init__(self, settings: Settings, folder: Path, command_line: CommandLine) -> None:
        self._settings = settings
        self._folder = folder.absolute()
        self._command_line = command_line
        self._executor = _executor(settings, self._folder)

    @classmethod
    def of_set(cls, settings: Settings, run_set: RunSet, command_line: CommandLine) -> Jobs:
        """For the runs of a set."""
        return cls(settings, run_set.jobs, command_line)

    def settle(self, member: Member) -> Job | None:
        """The job of a run that an earlier process submitted, whatever has become of it; None where it had none."""
        if member.job is None:
            return None
        files = JobFiles.of_member(self._folder, member)
        job = Job(self._executor.job_class(folder=self._folder, job_id=member.job), files)
        return None if job.poll() is not None else job

    def start(self, member: Member, resume: bool) -> Job:
        """Submit a run, and write its job's number down.

        Raises:
            UserError: SLURM takes no such job.
        """
        assert member.folder is not None
        files = JobFiles.of_member(self._folder, member)
        files.clear()
        own = {**member.settings, **_devices(self._settings)}
        new = self._command_line.of_run({**own, "resume_from": "auto"} if resume else own)
        resumed = self._command_line.of_run({**own, "resume_from": "auto"})
        run = RunInJob(new, resumed, member.run.path.absolute(), os.getcwd(), files)
        try:
            job = self._executor.submit(run)
        except Exception as error:  # submitit's, and those of whatever sbatch says
            raise UserError(f"submit={self._settings.submit}: the job was not taken: {error}") from error
        member.job = str(job.job_id)
        return Job(job, files)


def _executor(settings: Settings, folder: Path) -> Any:
    """Submitit's executor, told what each job asks for.

    Raises:
        UserError: submitit is not installed, there is no SLURM here, or it knows no such parameter.
    """
    try:
        import submitit
    except ImportError as error:
        raise UserError(f'submit={settings.submit} needs submitit: pip install -e ".[slurm]" ({error}).') from error
    folder.mkdir(parents=True, exist_ok=True)
    try:
        kind = submitit.SlurmExecutor if settings.submit == "slurm" else submitit.LocalExecutor
        executor = kind(folder=str(folder), max_num_timeout=settings.slurm_requeues)
        executor.update_parameters(**job_parameters(settings))
    except (RuntimeError, ValueError, TypeError) as error:
        raise UserError(
            f"submit={settings.submit}: {error}. On a machine without SLURM, submit=local tries the same here."
        ) from error
    return executor


def job_parameters(settings: Settings) -> dict[str, Any]:
    """What a job asks for, by submitit's names; those of its executor for SLURM are sbatch's."""
    gpus = gpus_of(settings)
    if settings.submit == "local":
        return {
            "timeout_min": settings.slurm_minutes,
            "signal_delay_s": settings.slurm_signal_seconds,
            "gpus_per_node": gpus,
            "setup": settings.slurm_setup,
        }
    asked = {
        "job_name": settings.exp_name,
        "partition": settings.slurm_partition,
        "time": max(1, round(settings.slurm_minutes)),
        "signal_delay_s": settings.slurm_signal_seconds,
        "nodes": settings.num_nodes,
        "ntasks_per_node": gpus or settings.devices or 1,  # srun starts a run's processes, and Lightning takes them
        "gpus_per_node": gpus or None,
        "cpus_per_task": settings.slurm_cpus or settings.num_workers + 1,
        "mem": None if settings.slurm_memory_gb is None else f"{round(settings.slurm_memory_gb * 1024)}M",
        "setup": settings.slurm_setup or None,
        "additional_parameters": settings.slurm_parameters or None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def gpus_of(settings: Settings) -> int:
    """The GPUs of a job on each machine."""
    if settings.slurm_gpus is not None:
        return settings.slurm_gpus
    return 1 if settings.num_gpus == "auto" else settings.num_gpus


def _devices(settings: Settings) -> dict[str, Any]:
    """What a run in a job is told of its GPUs, where that is left open."""
    gpus = gpus_of(settings)
    return {} if gpus == settings.num_gpus else {"num_gpus": gpus}
