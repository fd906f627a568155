"""How a task behaves: the random choices it makes, its head, its loss and its metrics' values.

What it reads and reports is declared beforehand (`tasks/declaration.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import Collate
from renaissance.data.examples.interface import Examples
from renaissance.data.examples.schema import ColumnType, DataNeeds
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.interface import ALL_OUTPUTS, Output, Part, Sides, VisionLanguageEncoder
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target
from renaissance.tasks.common.evaluation import Evaluation, MeanEvaluation, Split
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.pictures import SplitPictures
from renaissance.tasks.common.sample import Sample
from renaissance.tasks.common.step import Step
from renaissance.tasks.declaration import TaskDeclaration

HEAD_SUFFIX = "_head"  # a task's part of the model is named <task>_head


@dataclass(frozen=True)
class Input:
    """A field of the examples that a trained model is given, `{"image": …, "text": …}`.

    Attributes:
        field: its name.
        meaning: what it is, in words for whoever gives it.
        type: what is given there.
    """

    field: str
    meaning: str
    type: ColumnType


# What a user's own example must have of a task's columns, by their names; columns of other types are answers and ids.
MEANINGS = {
    "image": "the picture",
    "second_image": "the second picture",
    "text": "the text",
    "text_pair": "the second text",
    "boxes": "the boxes to choose from, each as left, upper, width and height in pixels",
}
GIVEN = ("image", "text", "boxes")  # the types of columns that are given


@dataclass(frozen=True)
class Question:
    """An example of a split as a user would give it.

    Attributes:
        example: its values by the fields that `Task.inputs` names.
        right: the right answer in words; empty where it is not known.
    """

    example: dict[str, Any]
    right: str = ""


@dataclass(frozen=True)
class TaskContext:
    """What a task is built from.

    Attributes:
        declaration: what is known of it beforehand.
        settings: the run's settings.
        model: the encoder it works on.
        text: the tokenizer; None where no active task reads text.
        class_names: the names of the classes in the data; None where the data has none.
    """

    declaration: TaskDeclaration
    settings: ModelAndTaskSettings
    model: VisionLanguageEncoder
    text: TextProcessor | None
    class_names: list[str] | None


class Task(nn.Module, ABC):
    """A task: a head on a vision-language encoder with a loss and metrics.

    Attributes:
        declaration: what is known of it beforehand; a behaviour may serve several tasks.
        class_names: the names of the classes in the data; None where the data has none.
        notes: what building did that the user should know, one line each.
        kind: what its `answers` are: a page shows those of a kind alike.
        outputs: what it asks of pairs that have seen each other (`Step.fuse`), where it does not say otherwise all.
    """

    kind: ClassVar[str] = "values"
    outputs: frozenset[Output] = ALL_OUTPUTS

    def __init__(self, context: TaskContext) -> None:
        super().__init__()
        self.declaration = context.declaration
        self.class_names = context.class_names
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        """Its name in `loss_names`."""
        return self.declaration.name

    @property
    def needs(self) -> DataNeeds:
        """What it reads of each example."""
        return self.declaration.needs

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate | None:
        """What the loader's processes read, draw and fetch for this task; None where it needs no more than its inputs.

        Args:
            declaration: the task that behaves like this.
            settings: the run's settings.
            text: the tokenizer; None where no active task reads text.
            training: rather than validation or test, whose choices for an example must not depend on its batch.
        """
        return None

    @classmethod
    def sides(cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings) -> Sides:
        """What of a model it uses: the sides that it reads, and the fuser where these are both and see each other.

        Args:
            declaration: the task that is to behave like this.
            settings: the run's settings.
        """
        needs = declaration.needs
        fused = needs.text and needs.image and declaration.fuses
        return Sides(needs.text, needs.image, fused, outputs=cls.outputs if fused else frozenset(), pooled=not fused)

    def takes(self, batch: Batch) -> bool:
        """Whether a batch is of the examples that it reads."""
        return batch.schema == self.needs.schema.name

    def items(self, batch: Batch) -> int:
        """How many items (N) its loss is over in a batch: the examples, where it does not say otherwise."""
        return batch.examples

    def parts(self) -> list[Part]:
        """Its own parts of the model, each parameter in exactly one of them: one head, where it has parameters."""
        return [Part(self.name + HEAD_SUFFIX, self, "head")] if any(True for _ in self.parameters()) else []

    @abstractmethod
    def forward(self, step: Step) -> Outcome:
        """The loss and the metrics' values of a step."""

    def after_optimizer_step(self) -> None:
        """Sets right what an optimiser step has changed, such as a parameter that has bounds."""

    def inputs(self) -> tuple[Input, ...]:
        """What an example must have for `answers`: what the task reads, where it does not say otherwise."""
        types = {name: column.type for name, column in self.needs.columns().items() if column.type in GIVEN}
        return tuple(Input(name, MEANINGS.get(name, f"the {name}"), kind) for name, kind in types.items())

    @classmethod
    def collate_inputs(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None
    ) -> Collate | None:
        """As `collate`, for a user's own examples, which have no answers: nothing is drawn, the question is theirs.

        Args:
            declaration: the task that behaves like this.
            settings: the run's settings.
            text: the tokenizer; None where no task of the model reads text.
        """
        return cls.collate(declaration, settings, text, training=False)

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """What the model says of each example, in evaluation mode: plain values, fit for JSON, for people to read.

        Nothing here needs to know what is right: labels are not looked at. Where nothing was collated for the batch
        (`Batch.collated`), as for a user's own examples of most tasks, the question is what the examples hold.

        Args:
            step: B examples.

        Returns:
            a dictionary an example, B of them.

        Raises:
            UserError: the task has no such method of its own.
        """
        raise UserError(f"{self.name} does not say what it finds of an example: its class has no method `answers`.")

    def question(self, examples: Examples, index: int) -> Question:
        """An example of a split as a user would give it, with its right answer where the task knows it.

        Args:
            examples: the split's.
            index: the example's number.
        """
        return Question({given.field: examples.value(index, given.field) for given in self.inputs()})

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """What the model says of one example, and how to ask how strongly it holds to that of variants of it.

        Args:
            step: one example.
            target: the answer to ask for; None for the one that the model gives.

        Raises:
            UserError: there is no such answer, or the task has no such method of its own.
        """
        raise UserError(
            f"{self.name} does not tell how strongly it holds to an answer: its class has no method `claim`, which "
            "attributions need."
        )

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """The metrics that are shown, by name, from the means of the steps' values."""
        return dict(means)

    def chance(self) -> dict[str, float]:
        """What guessing at random would reach, by metric, where that is the same on every split; pictures show it."""
        return {}

    def evaluation(self, split: Split) -> Evaluation:
        """How it is judged on a split; by the means of its values, where it does not say otherwise."""
        return MeanEvaluation(self, split)

    def samples(self, model: VisionLanguageEncoder, pictures: SplitPictures) -> list[Sample]:
        """Examples of what the model makes of a split's images, for a sheet; none where a task generates nothing."""
        return []
