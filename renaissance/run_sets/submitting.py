"""A single run handed to SLURM: submitted, and left to itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

from renaissance.errors import UserError
from renaissance.run_sets.command_line import CommandLine
from renaissance.run_sets.launchers.jobs import Jobs
from renaissance.run_sets.member import Member
from renaissance.settings import Settings
from renaissance.tracking.run_folder import RunFolder, new_run_folder, newest_unfinished, unfinished_run_of

FOLDER = "jobs"  # of the run's folder: what submitit needs, and what the job printed


def submit_run(settings: Settings, command_line: CommandLine) -> None:
    """Submit a run, or one that goes on, and say where it lies.

    Args:
        settings: checked for a training, with `submit`.
        command_line: the one that was given.

    Raises:
        UserError: it cannot be submitted.
    """
    command_line.check("submit")
    going_on = _going_on(settings)
    with tempfile.TemporaryDirectory() as tried:
        Jobs(settings, Path(tried), command_line)  # whatever is wrong is said before there is a folder
    folder = going_on or new_run_folder(settings.log_dir, settings.exp_name)
    member = Member(f"{settings.exp_name} {folder.path.name}", {}, folder=str(folder.path))
    Jobs(settings, folder.path / FOLDER, command_line).start(member, resume=going_on is not None)
    print(f"submitted: job {member.job}; what it prints is in {folder.path / FOLDER}")
    print(f"run: {folder.path}")


def _going_on(settings: Settings) -> RunFolder | None:
    """The run that `resume_from` names; None for a new one.

    Raises:
        UserError: it names no unfinished run.
    """
    if settings.resume_from is None:
        return None
    if settings.resume_from == "auto":
        return newest_unfinished(settings.log_dir, settings.exp_name)
    folder = unfinished_run_of(Path(settings.resume_from))
    if folder is None:
        raise UserError(
            f"resume_from={settings.resume_from!r}: with submit it must be auto, or the last.ckpt of an unfinished run."
        )
    return folder
