"""The examples of a `/predict` request, checked, with the tasks that each can be asked.

In: the JSON list or the parts of a form. Out: `Asked`, an example as models take it; or a `Refusal` that names the
example and the field at fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from renaissance.data.examples.schema import ColumnType
from renaissance.inference.model import Model
from renaissance.serving.body import Part
from renaissance.serving.errors import Refusal
from renaissance.serving.limits import Limits
from renaissance.serving.values import Place, checked, json_kind


@dataclass(frozen=True)
class Asked:
    """An example.

    Attributes:
        values: its fields, as models take them.
        tasks: the names of those that it is answered for.
    """

    values: dict[str, Any]
    tasks: tuple[str, ...]


class ExampleReader:
    """Reads the examples for a model.

    Args:
        model: the model.
        limits: what is allowed.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self._inputs = {task: {one.field for one in inputs} for task, inputs in model.inputs.items()}
        self._limits = limits
        self.fields: dict[str, ColumnType] = {one.field: one.type for inputs in model.inputs.values() for one in inputs}

    def task_named(self, task: str | None) -> None:
        """Check that there is such a task.

        Raises:
            Refusal: there is none.
        """
        if task is not None and task not in self._inputs:
            raise Refusal(422, f"There is no such task; this model knows {', '.join(self._inputs)}.", field="task")

    def read(self, given: Any, task: str | None) -> list[Asked]:
        """The examples of a JSON body.

        Args:
            given: what the body holds.
            task: the one that is asked; None for all that an example has the fields of.

        Raises:
            Refusal: naming the first example at fault.
        """
        if not isinstance(given, list):
            raise Refusal(422, f"The body must be a list of examples, not {json_kind(given)}: [{{…}}]")
        if len(given) > self._limits.examples:
            raise Refusal(413, f"{len(given):,} examples, and {self._limits.examples:,} a request are allowed.")
        return [self._example(index, example, task) for index, example in enumerate(given)]

    def _example(self, index: int, given: Any, task: str | None) -> Asked:
        if not isinstance(given, dict):
            raise Refusal(422, f"An example must be an object, not {json_kind(given)}.", example=index)
        for field in given:
            if field not in self.fields:
                known = f"this model reads {', '.join(self.fields)}"
                raise Refusal(422, f"There is no such field; {known}.", example=index, field=field[:100])
        there = {field for field, value in given.items() if value is not None}
        tasks = tuple(name for name, needed in self._inputs.items() if needed <= there and task in (None, name))
        if not tasks:
            self._refuse_lacking(index, there, task)
        needed = set().union(*(self._inputs[name] for name in tasks))
        values = {
            field: checked(given[field], kind, Place(index, field), self._limits)
            for field, kind in self.fields.items()
            if field in needed
        }
        return Asked(values, tasks)

    def _refuse_lacking(self, index: int, there: set[str], task: str | None) -> None:
        lacking = {
            name: sorted(needed - there) for name, needed in self._inputs.items() if task is None or name == task
        }
        nearest = min(lacking, key=lambda name: len(lacking[name]))
        told = "; ".join(f"{name} needs {' and '.join(fields)}" for name, fields in lacking.items())
        raise Refusal(422, f"The example lacks a field: {told}.", example=index, field=lacking[nearest][0])


def examples_of_parts(parts: Sequence[Part], fields: dict[str, ColumnType]) -> list[dict[str, Any]]:
    """The examples that a form holds: the first part of each name is the first example's, and so on.

    Args:
        parts: by name, files or texts.
        fields: that the model reads, with their types.

    Raises:
        Refusal: a text is where a file should be, boxes are no JSON, or some names come more often than others.
    """
    columns: dict[str, list[Any]] = {}
    for name, value in parts:
        values = columns.setdefault(name[:100], [])
        place = Place(len(values), name[:100])
        if isinstance(value, bytes) and fields.get(name) != "image":
            try:
                value = value.decode()
            except UnicodeDecodeError:
                raise place.refusal("must be text in UTF-8") from None
        if fields.get(name) == "boxes" and isinstance(value, str):
            try:
                values.append(orjson.loads(value))
            except orjson.JSONDecodeError:
                raise place.refusal("must be a JSON list of boxes") from None
            continue
        values.append(value)
    if len({len(values) for values in columns.values()}) > 1:
        counts = ", ".join(f"{len(values)} of {name}" for name, values in columns.items())
        raise Refusal(422, f"Every example needs a part of each name, and there are {counts}.")
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
