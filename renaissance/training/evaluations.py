"""The evaluations under way: each task on each split that it reads, fed by that split's loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renaissance.tasks.common.evaluation import Evaluation, Split
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task


class Evaluations:
    """What the tasks of a run make of the splits of a validation or a test.

    Attributes:
        splits: the split of each loader, in the order of the loaders; set before they are gone through.
    """

    def __init__(self) -> None:
        self.splits: list[Split] = []
        self._under_way: dict[tuple[str, str], Evaluation] = {}  # by task and split

    def begin(self, tasks: Mapping[str, Task]) -> None:
        """Begin anew: an evaluation of every task on each of the splits whose examples it reads."""
        self._under_way = {
            (name, split.name): task.evaluation(split)
            for split in self.splits
            for name, task in tasks.items()
            if split.examples.needs.schema.name == task.needs.schema.name
        }

    def update(self, loader: int, step: Step, tasks: Mapping[str, Task]) -> None:
        """Show a batch of a loader to the tasks that read it."""
        for name, task in tasks.items():
            if task.takes(step.batch):
                self._under_way[name, self.splits[loader].name].update(step, task(step))

    def split_names(self) -> list[str]:
        """The splits, each once: several data may have a split of one name."""
        return list(dict.fromkeys(split.name for split in self.splits))

    def values(self, split: str) -> dict[str, float]:
        """The tasks' metrics on a split, by whole name, `<task>/<split>/<metric>`."""
        return {
            f"{task}/{split}/{metric}": value
            for (task, of_split), evaluation in self._under_way.items()
            if of_split == split
            for metric, value in evaluation.compute().items()
        }

    def predictions(self, split: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """What tasks predict of a split, by task; none of those that predict nothing."""
        for (task, of_split), evaluation in self._under_way.items():
            rows = evaluation.predictions() if of_split == split else []
            if rows:
                yield task, rows
