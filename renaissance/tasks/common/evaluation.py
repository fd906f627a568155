"""How a task is judged on a split: an object that sees every batch of it once, then gives metrics and predictions.

Fed by the ordinary loader, with what the task made of each batch. Where several devices share a split, each sees its
own batches, every example is in one of them, and what all have seen is put together at the end.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from renaissance.data.examples.interface import Examples
from renaissance.data.streams import stream
from renaissance.errors import UserError
from renaissance.tasks.common.means import Means
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.declaration import PREDICTED_VALUES, TaskDeclaration

Item = TypeVar("Item")


@dataclass(frozen=True)
class Split:
    """A split that is evaluated.

    Attributes:
        name: "val", or one to test on.
        examples: its examples.
        tested: it is tested on, so predictions are kept; not validated.
        seed: of every draw.
        brief: only a batch of it is looked at, to try a set-up.
        world_size: processes that share it.
    """

    name: str
    examples: Examples
    tested: bool = False
    seed: int = 0
    brief: bool = False
    world_size: int = 1

    def stream(self, row: int, purpose: str) -> np.random.Generator:
        """Random numbers of a row of its tables: the same at every evaluation."""
        return stream(self.seed, 0, row, purpose)

    def gathered(self, items: list[Item]) -> list[Item]:
        """What all processes have, on each of them."""
        if self.world_size == 1:
            return items
        everything: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(everything, items)
        return [item for part in everything for item in part]


class Evaluation(ABC):
    """What a task makes of a split, batch by batch."""

    @abstractmethod
    def update(self, step: Step, outcome: Outcome) -> None:
        """Take in a batch.

        Args:
            step: the batch, with the features that were computed of it.
            outcome: what the task made of it; without items where the split has no answers.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The metrics of all that was taken in, by name, over all devices; none without answers."""

    def predictions(self) -> list[dict[str, Any]]:
        """What the model answers, a row an example with its "id", in the tables' order: plain values.

        None where a task predicts nothing. On several devices each has those of all.
        """
        return []

    def chance(self) -> dict[str, float]:
        """What guessing at random would reach on the split, of metrics of which it is known; asked after `compute`."""
        return {}


class Judged(Protocol):
    """What an evaluation asks of the task that it judges; every `Task` is one."""

    declaration: TaskDeclaration

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """What it says of each example."""

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """The metrics that are shown, from the means of the steps' values."""

    def chance(self) -> dict[str, float]:
        """What guessing at random would reach on any split."""


class MeanEvaluation(Evaluation):
    """Means over items (examples, hidden words), and where the task gives answers, a prediction for each example.

    Args:
        task: what is judged.
        split: on what.
    """

    def __init__(self, task: Judged, split: Split) -> None:
        self.task = task
        self.split = split
        self._means = Means()
        self._rows: list[tuple[int, dict[str, Any]]] = []  # of each example, by its number
        self._looked_at = False

    def update(self, step: Step, outcome: Outcome) -> None:
        self._means.add(self.task.declaration.name, self.split.name, outcome.values)
        if not self.task.declaration.predicts or (self._looked_at and not self.split.tested):
            return
        answers = self.task.answers(step)
        if not self._looked_at:  # also at the first validation: a fault is not to be told after hours of training
            _check_answers(self.task.declaration.name, answers, step.batch.examples)
            self._looked_at = True
        if not self.split.tested:
            return
        values = outcome.values_of_examples(step.batch.examples)
        for index, answer, found in zip(step.batch.index.tolist(), answers, values, strict=True):
            row = {"id": self.split.examples.value(index, "id"), **answer}
            self._rows.append((index, {**row, PREDICTED_VALUES: found} if found else row))

    def compute(self) -> dict[str, float]:
        prefix = f"{self.task.declaration.name}/{self.split.name}/"
        means = {name.removeprefix(prefix): mean for name, mean in self._means.take(self.split.name).items()}
        return self.task.derived(means)

    def predictions(self) -> list[dict[str, Any]]:
        rows = sorted(self.split.gathered(self._rows), key=lambda numbered: numbered[0])
        return [row for _, row in rows]

    def chance(self) -> dict[str, float]:
        return self.task.chance()


def _check_answers(task: str, answers: list[dict[str, Any]], examples: int) -> None:
    """See that a task's answers can be written.

    Raises:
        UserError: there are not as many as examples, or they hold more than plain values.
    """
    if len(answers) != examples:
        raise UserError(f"{task}: `answers` gave {len(answers)} for {examples} examples; it should give one for each.")
    try:
        json.dumps(answers)
    except (TypeError, ValueError) as error:
        raise UserError(f"{task}: `answers` gave what is no plain value, fit for JSON: {error}.") from None


def with_answers(values: Mapping[str, torch.Tensor], known: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of values an example (B,), those of the N examples whose answer is known (B,) bool; N may be 0.

    There are as many metrics then as ever: devices that share a split add up the same ones.
    """
    return dict(values) if bool(known.all()) else {name: value[known] for name, value in values.items()}
