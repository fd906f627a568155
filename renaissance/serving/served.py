"""The models that are served, by name, each with what clients are told of it.

In: checkpoints. Out: `ServedModel`s. A name is the experiment's folder of a checkpoint, where the settings give none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import restore
from renaissance.inference.model import Model
from renaissance.pages.reading import read_values
from renaissance.serving.sample import sample_example
from renaissance.tasks.common.writer import Writer


@dataclass
class ServedModel:
    """A model with its name.

    Attributes:
        name: in the path of addresses.
        model: the model.
        checkpoint: its file's name.
        step: the optimiser steps it was trained for; None where that is not known.
        training: what its run's summary says; empty where there is none.
    """

    name: str
    model: Model
    checkpoint: str = ""
    step: int | None = None
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def writer_name(self) -> str | None:
        """The name of the task that writes captions; None where there is none."""
        return next((name for name, task in self.model.tasks.items() if isinstance(task, Writer)), None)

    def can(self, searched: Collection[str]) -> dict[str, bool]:
        """What can be asked beside `predict`, by capability.

        Args:
            searched: the names of the models that a table is prepared for.
        """
        joint = self.model.has_joint_space
        return {
            "caption": self.writer_name is not None,
            "embed": joint or self.model.text is not None or self.model.transform is not None,
            "zeroshot": joint,
            "search": self.name in searched,
            "attributions": True,
        }

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What clients are told of each task."""
        model = self.model
        return {
            name: {
                "meaning": task.declaration.title or name,
                "kind": task.kind,
                "inputs": [{"name": one.field, "type": one.type, "meaning": one.meaning} for one in model.inputs[name]],
                "labels": model.label_names.get(name),
                "example": sample_example(model.inputs[name], task.kind),
                "streams": name == self.writer_name,
            }
            for name, task in model.tasks.items()
        }

    def parts(self) -> dict[str, int]:
        """The parameters of each part of the model."""
        model = self.model
        parts = [*model.encoder.parts(), *(part for task in model.tasks.values() for part in task.parts())]
        return {part.name: sum(parameter.numel() for parameter in part.module.parameters()) for part in parts}


def load_served(name: str, path: str, device: str) -> ServedModel:
    """A checkpoint's model.

    Args:
        name: what it is offered under.
        path: of the checkpoint.
        device: where it computes.

    Raises:
        UserError: it cannot be read.
    """
    checkpoint = read_checkpoint(path)
    run = Path(path).absolute().parent.parent
    summary = read_values(run, "summary.json") if Path(path).absolute().parent.name == "checkpoints" else {}
    kept = ("final", "best", "wall_seconds", "examples")
    training = {key: summary[key] for key in kept if key in summary}
    model = Model(restore(checkpoint), device)
    return ServedModel(name, model, Path(path).name, checkpoint.global_step, training)


def named(models: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Checkpoints by the names that they are offered under.

    Args:
        models: by name as they are; of a list, each gets its experiment's name, with a number where two have one.
    """
    if isinstance(models, Mapping):
        return dict(models)
    found: dict[str, str] = {}
    for path in models:
        base = _name_of(Path(path).absolute())
        name, number = base, 1
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found[name] = path
    return found


def _name_of(path: Path) -> str:
    """The experiment's name of `<experiment>/<number>/checkpoints/<file>`, or the file's."""
    parents = path.parents
    base = parents[2].name if path.parent.name == "checkpoints" and len(parents) > 2 else path.stem
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in base)
    return plain.lstrip("._-")[:64] or "model"
