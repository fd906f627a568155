"""Checkpoints: how they are written and read.

A checkpoint is a file in Lightning's format (`state_dict`, `optimizer_states`, `global_step`, ...) with one more
entry, "renaissance", that holds all a model needs to be built again anywhere: settings, vocabulary, label names,
the encoders' configurations. It is written to a temporary name and renamed, and opened with `weights_only`, so a
file from a stranger can run no code.
"""

from __future__ import annotations

import pickle
import shutil
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from renaissance.errors import UserError
from renaissance.whole_files import whole_file

ENTRY = "renaissance"
ZIP_START = b"PK\x03\x04"


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

    settings: dict[str, Any]
    encoder_configs: dict[str, Any]
    text: dict[str, Any] | None = None
    label_names: dict[str, list[str]] = field(default_factory=dict)
    image_statistics: dict[str, Any] | None = None
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

    def position(self) -> tuple[int, float]:
        """How far its weights were trained: optimiser steps, and times that the data were seen (0 if it is unsaid)."""
        batches = self.plan.get("epoch_batches", 0)
        return self.global_step, self.global_step * self.plan.get("accumulate", 1) / batches if batches else 0.0


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint for its weights and its description.

    Raises:
        UserError: if the file is missing, damaged, holds anything but tensors and plain values, or is not ours.
    """
    path = Path(path)
    content = load_safely(path)
    entry = content.get(ENTRY)
    if not isinstance(entry, dict) or "state_dict" not in content:
        raise UserError(
            f"{path}: not a checkpoint of this project (it lacks the entry {ENTRY!r}). "
            "Give a file that a run wrote under checkpoints/, such as best.ckpt or last.ckpt."
        )
    return Checkpoint(
        path,
        content["state_dict"],
        ModelDescription(**entry),
        global_step=int(content.get("global_step", 0)),
        validated_step=int(content.get("validated_step", 0)),
        plan=content.get("plan", {}),
        best=content.get("best"),
        stopping=content.get("stopping"),
        monitor=str(content.get("monitor", "")),
        spent=Spent(**content.get("spent", {})),
    )


def load_safely(path: Path) -> dict[str, Any]:
    """The content of a checkpoint file, opened so that it can run no code; tensors stay mapped to the file.

    Raises:
        UserError: if the file is missing, damaged, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file. Runs keep theirs in result/<exp_name>/<n>/checkpoints/.")
    if not zipfile.is_zipfile(path):  # torch's message would be of its own arguments
        with path.open("rb") as file:
            begun = file.read(len(ZIP_START)) == ZIP_START
        kind = "a checkpoint file that was cut off; copy it again" if begun else "no checkpoint file"
        raise UserError(f"{path}: not a checkpoint that can be opened: it is {kind}.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a checkpoint that can be opened safely ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a checkpoint; it holds a {type(content).__name__}")
    return content


class SafeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and opens them without running their code.

    The trainer's loop counters are left out when reading: the position in the data follows from `global_step`
    alone (see `plan.py`), which resumes the same on every version of Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the file, whole or not at all."""
        with whole_file(Path(path)) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read for resuming."""
        content = load_safely(Path(path))
        content.pop("loops", None)
        return content


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copy a checkpoint file; the target is whole or not there."""
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


def description_entry(description: ModelDescription) -> dict[str, Any]:
    """The "renaissance" entry of a checkpoint."""
    return asdict(description)
