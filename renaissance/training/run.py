"""A whole run: assemble, train, validate, test, and leave a folder that explains itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch

from renaissance.atomic_files import NO_ROOM, remove_leftovers
from renaissance.attributions.of_run import write_attributions
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.errors import Interrupted, RunError, UserError
from renaissance.run_sets.command_line import without_effect
from renaissance.settings import Settings, check_settings
from renaissance.settings.chosen import Chosen
from renaissance.settings.groups.experiment import ExperimentSettings
from renaissance.stop_signals import STOP
from renaissance.tracking.run_folder import RunFolder, at_work_in, given_folder, new_run_folder
from renaissance.tracking.trackers.interface import LogScalar, Tracker
from renaissance.training.assemble import Assembly, assemble
from renaissance.training.devices import resolve_devices, take_place, this_rank
from renaissance.training.joining import broadcast, joined
from renaissance.training.memory import keep_freed_memory
from renaissance.training.optimizers.registry import unread_settings
from renaissance.training.report import RunReport
from renaissance.training.resuming import Resumption, find_resumption
from renaissance.training.schedules.registry import unread_by_schedule
from renaissance.training.session import Session


def run_experiment(
    settings: Settings,
    chosen: Chosen,
    log_scalar: LogScalar,
    command_line: Sequence[str],
    trackers: Sequence[Tracker] = (),
) -> dict[str, float]:
    """Train and test, or with `test_only` test, as the settings say.

    Args:
        settings: the checked settings of the command line.
        chosen: what of them the user set, as opposed to defaults.
        log_scalar: takes every metric as (name, value, step), for observers.
        command_line: the command that made this run, for its folder.
        trackers: that are told of it beside those that the settings ask for.

    Returns:
        the final metrics by name.

    Raises:
        UserError: for a mistake in what the user gave.
        Interrupted: after Ctrl-C or SIGTERM, when the state has been saved.
    """
    started = time.time()
    take_place(None)
    torch.set_float32_matmul_precision("high")
    with STOP.in_charge():
        try:
            resumption = find_resumption(settings, chosen)
            settings = _settings_of(settings, resumption)
            if resumption is None:
                _check_towers(settings, chosen)
            devices = resolve_devices(settings)
            take_place(devices)
            if devices.accelerator == "cpu":
                keep_freed_memory()
            assembly = _assembled(settings, chosen, resumption)
            STOP.check()
        except Interrupted:
            print("interrupted before the first step: nothing to save", file=sys.stderr)
            raise
        # From here on there is a folder, so a signal waits for a point where that is left in order.
        leaving = STOP.deferred("leaving this run in order")
        with leaving, joined(devices, settings.peer_timeout) as peers, peers.in_words():
            folder = _agreed_folder(settings, resumption)
            peers.kept = partial(_kept, folder)
            with nullcontext() if this_rank() else at_work_in(folder), _resumable(peers.kept):
                if not this_rank():
                    remove_leftovers(folder.path)
                resumed = resumption.checkpoint if resumption else None
                session = Session(assembly, devices, folder, log_scalar, resumed, started, trackers)
                session.remarks += [*_unread(settings, chosen), *without_effect(settings, chosen.given)]
                return _worked_through(session, RunReport(folder, session, resumption, command_line, started))


def _settings_of(settings: Settings, resumption: Resumption | None) -> Settings:
    """Those of the run that goes on, or of the command line where none does."""
    if resumption is not None:
        return resumption.settings
    if settings.resume_from is not None:  # auto, and there is no run to go on with
        return check_settings({**settings.model_dump(), "resume_from": None}, "train")
    return settings


def _check_towers(settings: Settings, chosen: Chosen) -> None:
    """Refuse a tower on the command line beside `clip_model`, which takes the place of both.

    Raises:
        UserError: naming the settings.
    """
    others = [f"{name}={chosen.given[name]!r}" for name in ("image_encoder", "text_encoder")
              if name in chosen.given and chosen.given[name] != settings.clip_model]  # fmt: skip
    if settings.clip_model is not None and others:
        raise UserError(
            f"{' and '.join(others)} beside clip_model={settings.clip_model!r}: clip_model takes the place of both "
            "towers. Leave out the tower, or take clip_model=None and name both."
        )


def _unread(settings: Settings, chosen: Chosen) -> list[str]:
    """What to say of settings on the command line that the run's optimiser, or its schedule, does not read."""
    if settings.test_only:
        return []
    by_optimizer = dict.fromkeys(
        unread_settings(settings.optim_type, chosen.given), f"optim_type={settings.optim_type}"
    )
    by_schedule = dict.fromkeys(unread_by_schedule(settings.schedule, chosen.given), f"schedule={settings.schedule}")
    whole = {} if settings.strategy == "fsdp" else {"fsdp_checkpoints": f"strategy={settings.strategy}"}
    unread = {**by_optimizer, **by_schedule, **{name: why for name, why in whole.items() if name in chosen.given}}
    return [f"{name} is without effect: {choice} does not read it" for name, choice in unread.items()]


def _worked_through(session: Session, report: RunReport) -> dict[str, float]:
    """Train and test, and write of it what came of it, also where a signal ends it; gives the final metrics."""
    report.start()
    try:
        with session.at_work():
            if session.devices.world_size == 1:
                STOP.check()
            if not session.assembly.settings.test_only:
                session.fit()
            session.test()
            if session.is_main and session.assembly.settings.attributions:
                _explain(session)
    except Interrupted:
        with STOP.deferred("writing the summary"):
            report.end("interrupted")
        raise
    STOP.finish()
    return report.end("finished")


def _explain(session: Session) -> None:
    """Write which patches and words the answers of the best weights rest on."""
    settings, folder = session.assembly.settings, session.folder
    checkpoint = settings.load_path if settings.test_only else str(folder.best_checkpoint)
    write_attributions(
        checkpoint,
        session.trainer.strategy.root_device,
        session.assembly.groups,
        1 if settings.fast_dev_run else settings.attributions_examples,
        folder,
        session.trackers.picture,
    )


@contextmanager
def _resumable(kept: Callable[[], str]) -> Iterator[None]:
    """Say of a run that a full disk or a loss that is not finite ends what is kept of it.

    Args:
        kept: says that.

    Raises:
        RunError: for either.
    """
    try:
        yield
    except (RunError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_ROOM:
            raise
        raise RunError(f"{error}\n{kept()}") from error


def _kept(folder: RunFolder) -> str:
    """What there is of a run that ends before its time, and how to go on."""
    kept = folder.last_checkpoint
    if kept.exists():
        return f"{kept} is as it was before; resume_from=auto goes on from there."
    return f"{folder.path} has no checkpoint yet; start the run again."


def _assembled(settings: Settings, chosen: Chosen, resumption: Resumption | None) -> Assembly:
    """Data and model; the model is the resumed run's, or starts from what `load_path` or `load_modules` name."""
    if resumption is not None:
        return assemble(settings, (), resumption.checkpoint, resumed=True)
    checkpoint = read_checkpoint(settings.load_path) if settings.load_path else None
    modules = {part: read_checkpoint(path) for part, path in settings.load_modules.items()}
    return assemble(settings, chosen.names, checkpoint, modules, settings.strict_loading)


def _agreed_folder(settings: ExperimentSettings, resumption: Resumption | None) -> RunFolder:
    """The run's folder, a new one made by the main process where it has none: all know the run by its number.

    Raises:
        UserError: the processes would go on from different states.
    """
    begins = f"{resumption.checkpoint.path}, step {resumption.checkpoint.global_step}" if resumption else "a new run"
    of_first = broadcast(begins)
    if begins != of_first:
        raise UserError(f"The first process of this run goes on with {of_first}, and this one with {begins}.")
    known = resumption.folder if resumption else None
    made = "" if known or this_rank() else str(_new_folder(settings).path)
    return known or RunFolder(Path(broadcast(made)))


def _new_folder(settings: ExperimentSettings) -> RunFolder:
    """The next free folder; of a run of a set, the one that it was given."""
    given = given_folder()
    if given is None:
        return new_run_folder(settings.log_dir, settings.exp_name)
    given.path.mkdir(parents=True, exist_ok=True)
    return given
