"""The evaluations under way: each task on each split that it reads, fed by that split's loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from renaissance.data.examples.interface import VAL
from renaissance.errors import UserError
from renaissance.tasks.common.evaluation import Evaluation, Split
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task
from renaissance.tasks.declaration import TaskDeclaration
from renaissance.tasks.registry import declaration_of
from renaissance.training.devices import say


class Evaluations:
    """What the tasks of a run make of the splits of a validation or a test.

    Attributes:
        splits: the split of each loader, in the order of the loaders; set before they are gone through.
    """

    def __init__(self) -> None:
        self.splits: list[Split] = []
        self._under_way: dict[tuple[str, str], Evaluation] = {}  # by task and split
        self._told: set[tuple[str, str]] = set()  # the tasks' metrics that are undeclared, and said to be

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
        found: dict[str, float] = {}
        for (task, of_split), evaluation in self._under_way.items():
            if of_split == split:
                values = evaluation.compute()
                self._check(declaration_of(task), split, values)
                found |= {f"{task}/{split}/{metric}": value for metric, value in values.items()}
        return found

    def _check(self, declaration: TaskDeclaration, split: str, values: Mapping[str, float]) -> None:
        """See that what a task reports of a split is what it has declared.

        Raises:
            UserError: the metric that tells the best checkpoint is not among what it reports.
        """
        task, monitor = declaration.name, declaration.monitor
        if split == VAL and values and monitor not in values:
            raise UserError(
                f"{task}: its monitor {monitor!r} is not among what its evaluation gave of {split} "
                f"({', '.join(values)}), so the best checkpoint cannot be told. Let `compute` give it, or declare "
                "another monitor."
            )
        undeclared = [name for name in values if declaration.metric(name) is None and (task, name) not in self._told]
        if undeclared:
            self._told |= {(task, name) for name in undeclared}
            say(f"warning: {task} reports {', '.join(undeclared)}, which its declaration lacks: less is taken as "
                "better of losses and perplexities, more of the rest")  # fmt: skip

    def chance(self, split: str) -> dict[str, float]:
        """What guessing would reach on a split, by whole name; to be asked after the values."""
        return {
            f"{task}/{split}/{metric}": value
            for (task, of_split), evaluation in self._under_way.items()
            if of_split == split
            for metric, value in evaluation.chance().items()
        }

    def predictions(self, split: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """What tasks predict of a split, by task; none of those that predict nothing."""
        for (task, of_split), evaluation in self._under_way.items():
            rows = evaluation.predictions() if of_split == split else []
            if rows:
                yield task, rows
