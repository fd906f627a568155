"""How good the answers are, of those examples of which the input says what is right: the tasks' own metrics.

They are added up over the journal, so they are the same however often a job was stopped, and take no memory a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renaissance.inference.classes.counts import Confusion
from renaissance.tasks.common.task import Task


class Scores:
    """The metrics of a task.

    Args:
        task: the task.
        class_names: the classes that it tells apart; None where it does not.
    """

    def __init__(self, task: Task, class_names: Sequence[str] | None) -> None:
        self._task = task
        self._numbers = {name: number for number, name in enumerate(class_names or ())}
        self._sums: dict[str, float] = {}
        self._confusion: NDArray[np.int64] | None = None
        self.examples = 0

    def add(self, values: Mapping[str, float], right: Any, answer: Mapping[str, Any]) -> None:
        """Take in an example.

        Args:
            values: what it adds to each metric.
            right: the number of its class, where the task tells classes apart.
            answer: of the task.
        """
        self.examples += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        found = self._numbers.get(answer.get("answer", ""))
        if isinstance(right, int) and found is not None:
            if self._confusion is None:
                self._confusion = np.zeros((len(self._numbers),) * 2, np.int64)
            self._confusion[right, found] += 1

    @property
    def confusion(self) -> Confusion | None:
        """What each class was taken for; None where no class is known."""
        return None if self._confusion is None else Confusion(self._confusion, list(self._numbers))

    def metrics(self) -> dict[str, float]:
        """By name, as a test of the task gives them."""
        found = self._task.derived({name: total / self.examples for name, total in self._sums.items()})
        declared = self._task.declaration.metric("f1")
        if declared is not None and self._confusion is not None and len(self._numbers) == 2:
            both = int(self._confusion[1, 1])
            either = int(self._confusion[1].sum() + self._confusion[:, 1].sum())
            found["f1"] = 2 * both / either if either else 0.0
        return found
