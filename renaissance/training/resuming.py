"""Going on with a run: in which folder, from which checkpoint, with which settings.

Comes in: the settings of the command line and which of them the user chose. Goes out: the settings of the run, with
what the command line adds to them, or one message that names everything that cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from renaissance.checkpoints.checkpoint import Checkpoint, Spent, read_checkpoint
from renaissance.data.tables.content import content_of
from renaissance.errors import UserError
from renaissance.plugins import how_to_name, missing_plugins
from renaissance.settings import Settings, check_settings
from renaissance.settings.chosen import Chosen
from renaissance.settings.defaults import default_settings
from renaissance.settings.groups.training import LengthSettings, OptimizerSettings
from renaissance.settings.on_resume import OnResume, on_resume
from renaissance.tracking.history import read_history, run_of
from renaissance.tracking.run_folder import RunFolder, newest_unfinished, unfinished_run_of
from renaissance.training.devices import say, this_rank
from renaissance.training.inputs import TaskGroup, each_split
from renaissance.training.plan import Plan
from renaissance.training.schedules.schedule import LearningRateFactor

# Numbers of a plan by which the position in the stream of training batches is counted, and what they follow from.
POSITION = {"device_batch": "per_gpu_batchsize", "accumulate": "batch_size", "world_size": "num_gpus and num_nodes",
            "epoch_batches": "datasets"}  # fmt: skip
# What a new run from another's checkpoint has in place of its starting weights.
STARTED_ANEW = {"load_path": "", "load_modules": {}}


@dataclass(frozen=True)
class Resumption:
    """A run that goes on.

    Attributes:
        folder: the run's own; None where it goes on in a new one.
        checkpoint: what it goes on from.
        settings: the run's, with what the command line adds.
        changed: the settings that differ from the run's so far, with the values before and after.
    """

    folder: RunFolder | None
    checkpoint: Checkpoint
    settings: Settings
    changed: dict[str, tuple[Any, Any]]


def find_resumption(settings: Settings, chosen: Chosen) -> Resumption | None:
    """The run that `resume_from` names; None for a new run.

    A run that was interrupted goes on in its own folder. A `resume_from` that is not the last checkpoint of an
    interrupted run (a copy, or a finished run that is to be trained longer) goes on in a new one.

    Args:
        settings: those of the command line.
        chosen: what of them the user set.

    Raises:
        UserError: the checkpoint cannot be read, or the command line adds what cannot differ.
    """
    if settings.resume_from is None:
        return None
    if settings.resume_from != "auto":
        checkpoint = read_checkpoint(settings.resume_from)
        return _resumption(unfinished_run_of(checkpoint.path), checkpoint, settings, chosen)
    folder = newest_unfinished(settings.log_dir, settings.exp_name, alive_too=this_rank() > 0)
    parent = Path(settings.log_dir) / settings.exp_name
    found = f"no unfinished run in {parent}; a new run" if folder is None else f"going on with {folder.path}"
    say(f"resume_from=auto: {found}")
    if folder is None:
        return None
    return _resumption(folder, read_checkpoint(folder.last_checkpoint), settings, chosen)


def _resumption(folder: RunFolder | None, checkpoint: Checkpoint, settings: Settings, chosen: Chosen) -> Resumption:
    """The run's own settings with what the command line adds."""
    history = read_history(folder or run_of(checkpoint.path))
    own = checkpoint.description.settings if folder is None or history is None else history.settings_now()
    base = _base(own, settings)
    if folder is None:
        base |= {**STARTED_ANEW, "resume_from": settings.resume_from}
    added = chosen.added_to(history.words() if history else ())
    values, refused = dict(base), []
    for name, by in added.items():
        kind, asked = on_resume(Settings.model_fields[name]), _asked(name, settings, base, chosen)
        if kind is OnResume.COMMAND and folder is not None:
            continue
        if kind is OnResume.FIXED and not _same(asked, base[name]):
            named = "" if name in chosen.given else f" (of {by})"
            refused.append(f"  {name}: {asked!r}{named}, the run has {base[name]!r}")
        if kind is not OnResume.FIXED:
            values[name] = asked
    _refuse(checkpoint, refused)
    missing = missing_plugins(values)
    if missing:
        raise UserError(f"{checkpoint.path}: this run cannot be resumed without its plug-ins.{how_to_name(missing)}")
    changed = {name: (base[name], values[name]) for name in base if values[name] != base[name] and _of_run(name)}
    return Resumption(folder, checkpoint, check_settings(values), changed)


def _base(own: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The run's own settings; those that it lacks, since it began before they came, have their defaults.

    What is of the command and not of the run is the command line's.
    """
    kept = {name: own[name] for name in own.keys() & Settings.model_fields.keys()}
    if not Settings.model_fields.keys() - kept.keys():
        return {**settings.model_dump(), **kept}
    missing = {name: value for name, value in default_settings().items() if _of_run(name)}
    return check_settings({**settings.model_dump(), **missing, **kept}).model_dump()


def _of_run(name: str) -> bool:
    return on_resume(Settings.model_fields[name]) is not OnResume.COMMAND


def _asked(name: str, settings: Settings, base: Mapping[str, Any], chosen: Chosen) -> Any:
    """The value that the command line adds; of a dictionary only the entries that were given."""
    value, given = settings.model_dump()[name], chosen.given.get(name)
    if isinstance(given, Mapping) and isinstance(base[name], Mapping):
        return {**base[name], **{key: value[key] for key in given}}
    return value


def _same(asked: Any, saved: Any) -> bool:
    """Whether two values of a setting mean the same; a value may stand for a list of it, one for each encoder."""
    if isinstance(asked, list) != isinstance(saved, list):
        many, one = (asked, saved) if isinstance(asked, list) else (saved, asked)
        return all(value == one for value in many)
    return bool(asked == saved)


def kept_schedule(settings: LengthSettings, resumed: Checkpoint | None) -> int | None:
    """The step at which the learning rate's schedule ends where a resumed run keeps it; None for its training's end."""
    if resumed is None or settings.resume_schedule == "new" or not resumed.plan:
        return None
    return resumed.plan.get("schedule_steps", resumed.plan["total_steps"])


def check_plan_resumable(checkpoint: Checkpoint, plan: Plan, settings: OptimizerSettings) -> None:
    """Check that the stream of training batches is cut as it was, and that what is left of it is learnt from.

    Raises:
        UserError: naming every number that differs, or a learning rate of 0 for the rest of the training.
    """
    asked = asdict(plan)
    differences = (
        []
        if _cut(asked) == _cut({**asked, **checkpoint.plan})
        else [
            f"  {name} ({setting}): {asked[name]}, the run has {checkpoint.plan[name]}"
            for name, setting in POSITION.items()
            if name in checkpoint.plan and asked[name] != checkpoint.plan[name]
        ]
    )
    _refuse(checkpoint, differences)
    end = max(plan.schedule_steps, checkpoint.global_step)
    if plan.total_steps > end and _rate_and_factor(asked, settings.model_dump())[1](end) == 0:
        raise UserError(
            f"resume_schedule=kept: the learning rate is end_lr, 0, from step {plan.schedule_steps:,} on, so nothing "
            f"would be learnt in the steps from {end:,} to {plan.total_steps:,}. Give a rate that holds after the "
            "schedule, such as end_lr=1e-6, or resume_schedule=new for a schedule of the new length."
        )


def _cut(plan: Mapping[str, int]) -> tuple[int, int, int]:
    """What the stream of training batches depends on: a device's batch, how many make a step, steps an epoch.

    A step's batches are the same ones whether a device takes them one after the other or several at once.
    """
    return plan["device_batch"], plan["accumulate"] * plan["world_size"], plan["epoch_batches"] // plan["accumulate"]


def table_sizes(groups: Sequence[TaskGroup]) -> dict[str, int]:
    """The size in bytes of every table of a run, by split and file name, whatever folder they lie in."""
    return {f"{split}/{path.name}": path.stat().st_size for split, one in each_split(groups) for path in one.paths}


def table_contents(groups: Sequence[TaskGroup]) -> dict[str, str]:
    """What tells the content of every table of a run, by the same names."""
    return {f"{split}/{path.name}": content_of(path) for split, one in each_split(groups) for path in one.paths}


def check_tables_resumable(checkpoint: Checkpoint, sizes: Mapping[str, int]) -> None:
    """Check that a run goes on over the tables that it began with.

    Raises:
        UserError: naming every table that differs.
    """
    if not checkpoint.tables:  # of a version that did not note them
        return
    names = sorted({*checkpoint.tables, *sizes})
    differences = [
        f"  {name}: {_bytes(sizes.get(name))}, the run has {_bytes(checkpoint.tables.get(name))}"
        for name in names
        if sizes.get(name) != checkpoint.tables.get(name)
    ]
    if differences:
        raise UserError(
            f"{checkpoint.path}: this run cannot be resumed over other tables:\n"
            + "\n".join(differences)
            + "\nPrepare them as they were, or start a new run from its weights with load_path."
        )


def _bytes(size: int | None) -> str:
    return "no such table" if size is None else f"{size:,} bytes"


def _refuse(checkpoint: Checkpoint, differences: list[str]) -> None:
    if differences:
        raise UserError(
            f"{checkpoint.path}: this run cannot be resumed with other settings:\n"
            + "\n".join(differences)
            + "\nLeave these out (a resumed run has its own settings), or start a new run from its weights with "
            "load_path."
        )


def new_learning_rate(checkpoint: Checkpoint, plan: Plan, settings: Settings) -> str | None:
    """How the learning rate differs from the one that the run had so far; None where it does not."""
    if not checkpoint.plan:
        return None
    step = checkpoint.global_step
    old_rate, old = _rate_and_factor(checkpoint.plan, {**default_settings(), **checkpoint.description.settings})
    rate, new = _rate_and_factor(asdict(plan), settings.model_dump())
    to_come = range(step, plan.total_steps + 1)
    if (old_rate, old) == (rate, new) or all(old_rate * old(one) == rate * new(one) for one in to_come):
        return None
    return (
        f"learning rate from step {step:,} on: {rate * new(step):.3g}, by {_in_words(new)} "
        f"(so far: {old_rate * old(step):.3g}, by {_in_words(old)})"
    )


def _rate_and_factor(plan: Mapping[str, int], settings: Mapping[str, Any]) -> tuple[float, LearningRateFactor]:
    """The full learning rate, and what it is multiplied by at each step."""
    steps = plan["warmup_steps"], plan.get("schedule_steps", plan["total_steps"])
    return settings["learning_rate"], LearningRateFactor.of_settings(*steps, settings)


def _in_words(factor: LearningRateFactor) -> str:
    return f"schedule={factor.schedule} over {factor.total_steps:,} steps"


def spent_before(folder: RunFolder, checkpoint: Checkpoint | None) -> Spent:
    """What the earlier legs of the run in a folder took: as its checkpoint says, and its last end, if it saw one.

    Of a leg that was killed, what it took after its last checkpoint is not known.
    """
    if checkpoint is None or folder.last_checkpoint.resolve() != checkpoint.path.resolve():
        return Spent()
    try:
        ended = json.loads(folder.summary.read_text(encoding="utf-8"))
        seconds, memory = float(ended["wall_seconds"]), int(ended["peak_memory_bytes"])
    except (OSError, ValueError, TypeError, KeyError):
        seconds, memory = 0.0, 0
    known = checkpoint.spent
    return Spent(
        max(known.wall_seconds, seconds),
        known.training_seconds,
        known.batches,
        max(known.peak_memory_bytes, memory),
    )
