"""What a task is: the data it reads, the random choices it makes, its head, its loss and its metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.loader import Draw
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.text.processor import TextProcessor
from renaissance.models.interface import Part, Sides, VisionLanguageEncoder
from renaissance.settings import Settings
from renaissance.tasks.common.split import Sample, SplitImages
from renaissance.tasks.common.step import Step

HEAD_SUFFIX = "_head"  # a task's part of the model is named <task>_head


@dataclass(frozen=True)
class TaskContext:
    """What a task is built from.

    Attributes:
        settings: the run's settings.
        model: the encoder it works on.
        text: the tokenizer; None where no active task reads text.
        label_names: the names of the classes in the data; None where the data has none.
    """

    settings: Settings
    model: VisionLanguageEncoder
    text: TextProcessor | None
    label_names: list[str] | None


@dataclass(frozen=True)
class Outcome:
    """What a task made of a step.

    Attributes:
        values: per metric one value an item (N,), so that a mean over a whole split, or over an optimiser step,
            weighs every item alike, however the items were batched. "loss" is always among them, and is minimised.
    """

    values: Mapping[str, Tensor]

    @property
    def loss(self) -> Tensor:
        """The mean of the items' losses, a scalar; 0 where there is no item: a mean over nothing would be NaN."""
        losses = self.values["loss"]
        return losses.sum() / max(1, len(losses))

    def share_of_step(self, step_items: Tensor) -> Tensor:
        """What this batch adds to the mean of the losses over all `step_items` items of an optimiser step: a scalar."""
        return self.values["loss"].sum() / step_items


class Task(nn.Module, ABC):
    """A task: a head on a vision-language encoder with a loss and metrics.

    Attributes:
        notes: what building did that the user should know, one line each.

    Class attributes:
        name: its name in `loss_names`, and its file's.
        needs: what it reads.
        metrics: what it reports of a validation, by name.
        monitor: the one of these that tells the best checkpoint of a run on this task alone.
        writes: whether it uses the model's text decoder.
        mixable: whether its targets can be shares of two examples (see `models/fusion/mixing.py`).
    """

    name: ClassVar[str]
    needs: ClassVar[DataNeeds]
    metrics: ClassVar[tuple[str, ...]] = ("loss", "accuracy")
    monitor: ClassVar[str] = "accuracy"
    writes: ClassVar[bool] = False
    mixable: ClassVar[bool] = False

    def __init__(self, context: TaskContext) -> None:
        super().__init__()
        self.label_names = context.label_names
        self.notes: list[str] = []

    @classmethod
    def draw(cls, settings: Settings, text: TextProcessor | None, training: bool) -> Draw | None:
        """The random choices that this task makes for a batch, made in the loader's processes; None if it has none.

        Args:
            settings: the run's settings.
            text: the tokenizer; None where no active task reads text.
            training: rather than validation or test, whose choices for an example must not depend on its batch.
        """
        return None

    @classmethod
    def sides(cls, settings: Settings) -> Sides:
        """What of a model it uses: the sides that it reads, and the fuser where these are both."""
        return Sides(text=cls.needs.text, image=cls.needs.image, fused=cls.needs.text and cls.needs.image)

    def items(self, batch: Batch) -> int:
        """How many items (N) its loss is over in a batch: the examples, where it does not say otherwise."""
        return batch.examples

    def parts(self) -> list[Part]:
        """Its own parts of the model, each parameter in exactly one of them: one head, where it has parameters."""
        return [Part(self.name + HEAD_SUFFIX, self, "head")] if any(True for _ in self.parameters()) else []

    @abstractmethod
    def forward(self, step: Step) -> Outcome:
        """The loss and the metrics' values of a step."""

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """The metrics that are shown, by name, from the means of the steps' values."""
        return dict(means)

    def evaluate(self, model: VisionLanguageEncoder, images: SplitImages) -> dict[str, float]:
        """Further metrics of a whole split, by name, for which a mean over batches will not do."""
        return {}

    def samples(self, model: VisionLanguageEncoder, images: SplitImages) -> list[Sample]:
        """Examples of what the model makes of a split's images, for a sheet; none where a task generates nothing."""
        return []
