"""Some of a model's tasks made ready to answer examples: what does not depend on the examples is worked out once.

In: a `Model`, the names of its tasks, and examples as dictionaries, a batch of them at a time. Out: plain answers by
task. `Model.predict` and `serve` both predict with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from renaissance.data.batches.collate import BatchMaker
from renaissance.data.examples.schema import Column, ColumnType, Schema
from renaissance.inference.inputs import Example, Names, check_examples, examples_of
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task

if TYPE_CHECKING:
    from renaissance.inference.model import Model

NO_TASKS: Mapping[str, Task] = MappingProxyType({})


def named_in_examples(index: int, field: str) -> str:
    """What messages call a field of an example."""
    return f"examples[{index}]['{field}']"


class Steps:
    """Makes steps of examples that have the same fields.

    Args:
        model: the trained model.
        schema: the columns that tasks know of such examples.
        fields: those of them that are given, with their types.
        names: what messages call the field of an example.
        tasks: whose collates the batches need.
    """

    def __init__(
        self,
        model: Model,
        schema: Schema,
        fields: Mapping[str, ColumnType],
        names: Names,
        tasks: Mapping[str, Task] = NO_TASKS,
    ) -> None:
        self._model, self._schema, self._fields, self._names = model, schema, dict(fields), names
        self._collates = {
            name: collate
            for name, task in tasks.items()
            if (collate := task.collate_inputs(task.declaration, model.settings, model.text)) is not None
        }

    def check(self, examples: Sequence[Example]) -> None:
        """Check that every example has its fields; the images are not opened.

        Raises:
            UserError: naming the first that has not.
        """
        check_examples(examples, self._fields, self._names)

    def step(self, examples: Sequence[Example], first: int = 0) -> Step:
        """Checked examples as one batch on the device.

        Args:
            examples: the examples.
            first: the place of the first among all, for messages.

        Raises:
            UserError: naming the image that cannot be read.
        """
        model = self._model
        chosen = examples_of(examples, first, self._schema, self._fields, self._names, model.text)
        maker = BatchMaker(chosen, model.transform, model.text, self._collates, model.settings.eval_seed, False)
        return model.step(maker.make(list(range(len(chosen)))))


class Predictor:
    """Answers examples with some tasks of a model.

    Args:
        model: the trained model.
        names: of the tasks.

    Attributes:
        fields: what an example must have, with its type, by name.
    """

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        by_schema: dict[str, dict[str, Task]] = {}
        for name in names:
            task = model.tasks[name]
            by_schema.setdefault(task.needs.schema.name, {})[name] = task
        self.fields: dict[str, ColumnType] = {one.field: one.type for name in names for one in model.inputs[name]}
        self._groups: list[tuple[Steps, dict[str, Task]]] = []
        for schema, tasks in by_schema.items():
            fields = {one.field: one.type for name in tasks for one in model.inputs[name]}
            columns = {name: Column(name, kind) for name, kind in fields.items()}
            known = next(iter(tasks.values())).needs.schema.columns  # answers too, which collates find missing
            whole = Schema(schema, {**known, **columns})
            self._groups.append((Steps(model, whole, fields, named_in_examples, tasks), tasks))

    def check(self, examples: Sequence[Example]) -> None:
        """Check that every example has what the tasks read; the images are not opened.

        Raises:
            UserError: naming the example and the field at fault.
        """
        for steps, _ in self._groups:
            steps.check(examples)

    @torch.inference_mode()
    def answers(self, examples: Sequence[Example], first: int = 0) -> list[dict[str, Any]]:
        """What the tasks say of checked examples, which are one batch.

        Args:
            examples: N dictionaries.
            first: the place of the first among all, for messages.

        Returns:
            N dictionaries by task.

        Raises:
            UserError: naming the image that cannot be read.
        """
        answers: list[dict[str, Any]] = [{} for _ in examples]
        for steps, tasks in self._groups:
            step = steps.step(examples, first)
            for name, task in tasks.items():
                for answer, found in zip(answers, task.answers(step), strict=True):
                    answer[name] = found
        return answers
