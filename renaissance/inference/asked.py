"""What is asked of examples: the tasks of a model that read examples of one kind, and how a batch is made for them.

In: a trained model, and which tasks. Out: `Asked`, one for each schema. Worker processes make batches with its `maker`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import BatchMaker, Collate
from renaissance.data.examples.schema import Column, ColumnType, Schema
from renaissance.data.images.transform import ImageTransform
from renaissance.data.text.processor import TextProcessor
from renaissance.inference.inputs import Example, Names, examples_of
from renaissance.settings import Settings
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Input, Task


class TrainedModel(Protocol):
    """What is asked: a `Model`, as far as predicting needs it."""

    settings: Settings
    text: TextProcessor | None
    transform: ImageTransform | None
    tasks: dict[str, Task]
    inputs: dict[str, tuple[Input, ...]]

    def step(self, batch: Batch) -> Step:
        """A batch on its device."""


@dataclass(frozen=True)
class ExampleBatches:
    """Makes batches of a user's own examples, for the tasks that read them. Picklable.

    Attributes:
        schema: the columns of the examples.
        fields: those of them that are given, with their types.
        collates: those of the tasks by name.
        transform: for images; None without.
        text: for texts; None without.
        seed: of every draw.
    """

    schema: Schema
    fields: Mapping[str, ColumnType]
    collates: Mapping[str, Collate]
    transform: ImageTransform | None
    text: TextProcessor | None
    seed: int

    def make(self, examples: Sequence[Example], names: Names, first: int = 0) -> Batch:
        """A batch of checked examples.

        Args:
            examples: B examples, each with the fields; of answers None is one that is not known.
            names: what messages call the field of an example.
            first: the place of the first among all, for the names.

        Raises:
            UserError: a file, or an image, cannot be read.
        """
        chosen = examples_of(examples, first, self.schema, self.fields, names, self.text)
        maker = BatchMaker(chosen, self.transform, self.text, self.collates, self.seed, training=False)
        return maker.make(list(range(len(chosen))))


@dataclass(frozen=True)
class Asked:
    """Tasks that read examples of one schema.

    Attributes:
        tasks: by name.
        fields: what an example must have for all of them, with the types.
        schema: the columns, those of answers too, which collates find missing.
    """

    tasks: Mapping[str, Task]
    fields: Mapping[str, ColumnType]
    schema: Schema

    def batches(self, model: TrainedModel, answers: Mapping[str, ColumnType] | None = None) -> ExampleBatches:
        """What makes batches for the tasks.

        Args:
            model: whose tasks they are.
            answers: what is right of each example, as further fields; None where nothing is known of that.
        """
        found = {
            name: task.collate_inputs(task.declaration, model.settings, model.text) for name, task in self.tasks.items()
        }
        collates = {name: collate for name, collate in found.items() if collate is not None}
        fields = {**self.fields, **(answers or {})}
        return ExampleBatches(self.schema, fields, collates, model.transform, model.text, model.settings.eval_seed)


def asked_of(
    model: TrainedModel, tasks: Mapping[str, Task], usable: Callable[[str], bool] = lambda task: True
) -> list[Asked]:
    """The tasks by what they read.

    Args:
        model: whose tasks they are.
        tasks: by name.
        usable: tells whether a task, by its name, is to be asked at all.
    """
    by_schema: dict[str, dict[str, Task]] = {}
    for name, task in tasks.items():
        if usable(name):
            by_schema.setdefault(task.needs.schema.name, {})[name] = task
    found = []
    for schema, own in by_schema.items():
        fields = {given.field: given.type for name in own for given in model.inputs[name]}
        known = next(iter(own.values())).needs.schema.columns
        columns = {name: Column(name, kind) for name, kind in fields.items()}
        found.append(Asked(own, fields, Schema(schema, {**known, **columns})))
    return found
