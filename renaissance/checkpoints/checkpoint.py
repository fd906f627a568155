"""Checkpoints: what they are made of, and how they are read.

A checkpoint is a file in Lightning's format (`state_dict`, `optimizer_states`, `global_step`, ...) with one more
entry, "renaissance", that holds all a model needs to be built again anywhere: settings, vocabulary, label names,
the encoders' configurations, and the number of its format (`migration.py`). It is opened with `weights_only`, so a file
from a stranger can run no code. `files.py` writes it; one of many devices may have its tensors in shards (`shards.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from renaissance.checkpoints.migration import ENTRY, FORMAT, migrated
from renaissance.checkpoints.opening import check_plain, check_weights, load_safely
from renaissance.checkpoints.shards import Cut, put_together
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.tasks.registry import task_names

MOST_FAULTS = 10  # that a message names
LONGEST_VALUE = 40  # characters of an unknown setting's value that a message shows


def _statistics(value: dict[str, Any]) -> dict[str, Any]:
    """Check image statistics as `ImageStatistics` takes them."""
    mean, std = value.get("mean"), value.get("std")
    for numbers in (mean, std):
        if not isinstance(numbers, list | tuple) or len(numbers) != 3:
            raise ValueError("mean and std must be three numbers each")
        if not all(isinstance(number, float) and math.isfinite(number) for number in numbers):
            raise ValueError("mean and std must be finite numbers")
    if min(std or ()) <= 0:
        raise ValueError("std must be above 0")
    if value.get("resample") not in range(6):
        raise ValueError("resample must be one of Pillow's numbers, 0 to 5")
    return value


Step = Annotated[int, Field(ge=0)]
Score = tuple[Annotated[float, Field(ge=-math.inf)], Step]  # not "not a number", which no later one is better than


@dataclass
class ModelDescription:
    """What a checkpoint says of its model beside the weights; plain values only.

    Attributes:
        settings: the run's settings by name.
        encoder_configs: the Hugging Face configurations of its encoders.
        text: the tokenizer's state; None for a model without text.
        label_names: the classes of each classification task.
        image_statistics: mean, std and interpolation of the image encoder's input; None without images.
        beginnings: where the weights of each part came from when its run began, in words.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    settings: dict[str, Any]
    encoder_configs: dict[str, dict[str, Any]]
    text: dict[str, Any] | None = None
    label_names: dict[str, list[str]] = field(default_factory=dict)
    image_statistics: Annotated[dict[str, Any], AfterValidator(_statistics)] | None = None
    beginnings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spent:
    """What a run has taken so far, over all its legs: from its start, and from each resume, to the next stop.

    Attributes:
        wall_seconds: from a leg's start to its end.
        training_seconds: in training batches alone, without validations and each leg's first batch.
        batches: that a device trained on in these.
        peak_memory_bytes: the most memory that the main process has held.
    """

    wall_seconds: float = 0.0
    training_seconds: float = 0.0
    batches: int = 0
    peak_memory_bytes: int = 0


@dataclass
class Checkpoint:
    """A checkpoint that has been read.

    Attributes:
        path: where it lay.
        state_dict: its weights.
        description: what it says of its model.
        global_step: the optimiser steps it was trained for.
        validated_step: the step of its newest validation.
        plan: how its run was laid out, in whole numbers (see `plan.py`).
        best: the score and the step of its run's best checkpoint; None where it has none as yet.
        stopping: the score that early stopping measures by, and for how many validations there was no better one;
            None where nothing was counted.
        monitor: what these scores are of, as `Monitor.name` calls it.
        spent: what its run had taken when it was written.
        tables: the size in bytes of every table that its run reads, by split and name.
        skipped_steps: optimiser steps that were left out.
        remarks: what of it this version does not know and left out, a line each.
    """

    path: Path
    state_dict: dict[str, Tensor]
    description: ModelDescription
    global_step: int
    validated_step: int = 0
    plan: dict[str, int] = field(default_factory=dict)
    best: tuple[float, int] | None = None
    stopping: tuple[float, int] | None = None
    monitor: str = ""
    spent: Spent = Spent()
    tables: dict[str, int] = field(default_factory=dict)
    skipped_steps: int = 0
    remarks: tuple[str, ...] = ()

    def tasks(self) -> list[str]:
        """The tasks that it was trained on, in alphabetical order."""
        weights = self.description.settings.get("loss_names")
        return sorted(name for name, weight in weights.items() if weight) if isinstance(weights, dict) else []

    def position(self) -> tuple[int, float]:
        """How far its weights were trained: optimiser steps, and times that the data were seen (0 if it is unsaid)."""
        batches = self.plan.get("epoch_batches", 0)
        return self.global_step, self.global_step * self.plan.get("accumulate", 1) / batches if batches else 0.0


class _Entries(BaseModel):
    """The entries of a checkpoint that are read, but for the weights. Lightning adds others as it likes."""

    model_config = ConfigDict(extra="ignore")

    renaissance: ModelDescription
    global_step: Step = 0
    validated_step: Step = 0
    plan: dict[str, int] = {}
    best: Score | None = None
    stopping: Score | None = None
    monitor: str = ""
    spent: Spent = Spent()
    tables: dict[str, int] = {}
    skipped_steps: Step = 0


def read_content(path: str | Path) -> dict[str, Any]:
    """Everything that a checkpoint holds, at this version's format; for going on with its run.

    Of a sharded one the optimiser's state is left in parts (`Cut`), for who needs no more of it than a share.

    Raises:
        UserError: if the file is missing, damaged, holds anything but tensors and plain values, is not ours, or is of a
            later format.
    """
    path = Path(path)
    content = load_safely(path)
    if not isinstance(content.get(ENTRY), dict) or "state_dict" not in content:
        raise UserError(
            f"{path}: not a checkpoint of this project (it lacks the entry {ENTRY!r}). "
            "Give a file that a run wrote under checkpoints/, such as best.ckpt or last.ckpt."
        )
    check_plain(content[ENTRY], ENTRY, path)
    content = put_together(content, path)
    state = content["state_dict"]
    if isinstance(state, Mapping):
        state = {name: value.whole() if isinstance(value, Cut) else value for name, value in state.items()}
    return migrated({**content, "state_dict": check_weights(state, path)}, path)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint for its weights and its description.

    Raises:
        UserError: as of `read_content`, or it says what no run says.
    """
    path = Path(path)
    content = read_content(path)
    description, remarks = _known_of(content[ENTRY], path)
    read = {name: content[name] for name in _Entries.model_fields if name in content and name != ENTRY}
    for name, value in read.items():
        check_plain(value, name, path)
    try:
        entries = _Entries(renaissance=description, **read)
    except ValidationError as error:
        raise UserError(_misread(path, error)) from error
    others = {name: value for name, value in entries if name != ENTRY}
    return Checkpoint(path, content["state_dict"], entries.renaissance, **others, remarks=tuple(remarks))


def _known_of(entry: dict[str, Any], path: Path) -> tuple[dict[str, Any], list[str]]:
    """What this version knows of a description, and a remark on the rest, which changes nothing of what is computed."""
    names = ModelDescription.__dataclass_fields__
    unknown = [str(name) for name in entry if name not in names and name != "format"]
    known = {name: value for name, value in entry.items() if name in names}
    settings = known.get("settings")
    if isinstance(settings, dict):
        unknown += [
            f"{name}={str(value)[:LONGEST_VALUE]}"
            for name, value in settings.items()
            if name not in Settings.model_fields
        ]
        known["settings"] = _known_settings(settings)
    if not unknown:
        return known, []
    more = f" and {len(unknown) - MOST_FAULTS} more" if len(unknown) > MOST_FAULTS else ""
    return known, [f"{path}: left out what this version does not know: {', '.join(unknown[:MOST_FAULTS])}{more}"]


def _known_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that there are; of the tasks' weights not those of tasks that were off and are unknown here."""
    known = {name: value for name, value in settings.items() if name in Settings.model_fields}
    weights = known.get("loss_names")
    if isinstance(weights, dict):
        tasks = task_names()
        known["loss_names"] = {name: weight for name, weight in weights.items() if weight or name in tasks}
    return known


def _misread(path: Path, error: ValidationError) -> str:
    """What of a checkpoint's entries is not as this version writes it, a line each, the first of them."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults[:MOST_FAULTS]]
    return "\n".join(
        [
            f"{path}: what it says of its run and its model cannot be read:",
            *lines,
            "Was it written by another version, or changed since? Take one that a run of this version wrote.",
        ]
    )


def description_entry(description: ModelDescription) -> dict[str, Any]:
    """The "renaissance" entry of a checkpoint."""
    return {"format": FORMAT, **asdict(description)}
