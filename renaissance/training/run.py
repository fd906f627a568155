"""A whole run: assemble, train, validate, test, and leave a folder that explains itself."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from renaissance.errors import Interrupted, RunError
from renaissance.settings import Settings
from renaissance.tracking.run_folder import (
    RunFolder,
    at_work_in,
    new_run_folder,
    newest_unfinished,
    unfinished_run_of,
)
from renaissance.training.assemble import Assembly, assemble
from renaissance.training.checkpoints import Checkpoint, read_checkpoint
from renaissance.training.devices import resolve_devices, this_rank
from renaissance.training.memory import keep_freed_memory
from renaissance.training.report import RunReport
from renaissance.training.resuming import check_settings_resumable
from renaissance.training.session import LogScalar, Session
from renaissance.whole_files import NO_ROOM, remove_leftovers

FOLDER_VARIABLE = "RENAISSANCE_RUN_FOLDER"


def run_experiment(
    settings: Settings, chosen: Collection[str], log_scalar: LogScalar, command_line: Sequence[str]
) -> dict[str, float]:
    """Train and test, or with `test_only` test, as the settings say.

    Args:
        settings: the checked settings.
        chosen: the names of the settings that the user set, as opposed to defaults.
        log_scalar: takes every metric as (name, value, step), for observers.
        command_line: the command that made this run, for its folder.

    Returns:
        the final metrics by name.

    Raises:
        UserError: for a mistake in what the user gave.
        Interrupted: after Ctrl-C or SIGTERM, when the state has been saved.
    """
    started = time.time()
    torch.set_float32_matmul_precision("high")
    devices = resolve_devices(settings)
    if devices.accelerator == "cpu":
        keep_freed_memory()
    folder, resumed = _resumed(settings)
    assembly = _assembled(settings, chosen, resumed)
    if folder is None:
        folder = _shared_new_folder(settings)
    with nullcontext() if this_rank() else at_work_in(folder), _resumable(folder):
        if not this_rank():
            remove_leftovers(folder.path)
        session = Session(assembly, devices, folder, log_scalar, resumed)
        report = RunReport(folder, session, command_line, started)
        report.start()
        try:
            if not assembly.settings.test_only:
                session.fit()
            session.test()
        except (Interrupted, KeyboardInterrupt):
            report.end("interrupted")
            raise
        return report.end("finished")


@contextmanager
def _resumable(folder: RunFolder) -> Iterator[None]:
    """Say of a run that a full disk or a loss that is not finite ends what is kept of it.

    Raises:
        RunError: for either.
    """
    try:
        yield
    except (RunError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_ROOM:
            raise
        kept = folder.last_checkpoint
        state = f"{kept} is as it was before; resume_from=auto goes on from there." if kept.is_file() else (
            f"{folder.path} has no checkpoint yet; start the run again."
        )  # fmt: skip
        raise RunError(f"{error}\n{state}") from error


def _assembled(settings: Settings, chosen: Collection[str], resumed: Checkpoint | None) -> Assembly:
    """Data and model; the model is the resumed run's, or starts from what `load_path` or `load_modules` name."""
    if resumed is not None:
        check_settings_resumable(resumed, settings, chosen)
        return assemble(settings, chosen, resumed)
    checkpoint = read_checkpoint(settings.load_path) if settings.load_path else None
    modules = {part: read_checkpoint(path) for part, path in settings.load_modules.items()}
    return assemble(settings, chosen, checkpoint, modules, settings.strict_loading)


def _shared_new_folder(settings: Settings) -> RunFolder:
    """A new folder, made by the main process; the others on its machine learn of it through the environment.

    Processes elsewhere write nothing, so any path serves them.
    """
    if this_rank():
        return RunFolder(Path(os.environ.get(FOLDER_VARIABLE, settings.log_dir)))
    folder = new_run_folder(settings.log_dir, settings.exp_name)
    os.environ[FOLDER_VARIABLE] = str(folder.path)
    return folder


def _resumed(settings: Settings) -> tuple[RunFolder | None, Checkpoint | None]:
    """The folder and the checkpoint that a resumed run goes on in and from; (None, None) for a new run.

    A run that was interrupted goes on in its own folder. A `resume_from` that is not the last checkpoint of an
    interrupted run (a copy, or a finished run that is to be trained longer) goes on in a new one.
    """
    if settings.resume_from is None:
        return None, None
    if settings.resume_from == "auto":
        folder = newest_unfinished(settings.log_dir, settings.exp_name, alive_too=this_rank() > 0)
        if folder is None:
            print(f"resume_from=auto: no unfinished run in {Path(settings.log_dir) / settings.exp_name}; a new run")
            return None, None
        print(f"resume_from=auto: going on with {folder.path}")
        return folder, read_checkpoint(folder.last_checkpoint)
    checkpoint = read_checkpoint(settings.resume_from)
    return unfinished_run_of(checkpoint.path), checkpoint
