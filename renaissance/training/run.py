"""A whole run: assemble, train, validate, test, and leave a folder that explains itself."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from renaissance.errors import Interrupted
from renaissance.settings import Settings, check_settings
from renaissance.settings.chosen import Chosen
from renaissance.tracking.run_folder import RunFolder, at_work_in, new_run_folder
from renaissance.training.assemble import Assembly, assemble
from renaissance.training.checkpoints import read_checkpoint
from renaissance.training.devices import resolve_devices, this_rank
from renaissance.training.memory import keep_freed_memory
from renaissance.training.report import RunReport
from renaissance.training.resuming import Resumption, find_resumption
from renaissance.training.session import LogScalar, Session

FOLDER_VARIABLE = "RENAISSANCE_RUN_FOLDER"


def run_experiment(
    settings: Settings, chosen: Chosen, log_scalar: LogScalar, command_line: Sequence[str]
) -> dict[str, float]:
    """Train and test, or with `test_only` test, as the settings say.

    Args:
        settings: the checked settings of the command line.
        chosen: what of them the user set, as opposed to defaults.
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
    resumption = find_resumption(settings, chosen)
    resumed = resumption.checkpoint if resumption else None
    if resumption is not None:
        settings = resumption.settings
    elif settings.resume_from is not None:
        settings = check_settings({**settings.model_dump(), "resume_from": None}, "train")
    devices = resolve_devices(settings)
    if devices.accelerator == "cpu":
        keep_freed_memory()
    assembly = _assembled(settings, chosen, resumption)
    folder = (resumption and resumption.folder) or _shared_new_folder(settings)
    with nullcontext() if this_rank() else at_work_in(folder):
        session = Session(assembly, devices, folder, log_scalar, resumed, started)
        report = RunReport(folder, session, resumption, command_line, started)
        report.start()
        try:
            if not assembly.settings.test_only:
                session.fit()
            session.test()
        except (Interrupted, KeyboardInterrupt):
            report.end("interrupted")
            raise
        return report.end("finished")


def _assembled(settings: Settings, chosen: Chosen, resumption: Resumption | None) -> Assembly:
    """Data and model; the model is the resumed run's, or starts from what `load_path` or `load_modules` name."""
    if resumption is not None:
        return assemble(settings, (), resumption.checkpoint, resumed=True)
    checkpoint = read_checkpoint(settings.load_path) if settings.load_path else None
    modules = {part: read_checkpoint(path) for part, path in settings.load_modules.items()}
    return assemble(settings, chosen.names, checkpoint, modules, settings.strict_loading)


def _shared_new_folder(settings: Settings) -> RunFolder:
    """A new folder, made by the main process; the others on its machine learn of it through the environment.

    Processes elsewhere write nothing, so any path serves them.
    """
    if this_rank():
        return RunFolder(Path(os.environ.get(FOLDER_VARIABLE, settings.log_dir)))
    folder = new_run_folder(settings.log_dir, settings.exp_name)
    os.environ[FOLDER_VARIABLE] = str(folder.path)
    return folder
