"""Which of several boxes in an image does a phrase mean?

Each box is cut out, resized and encoded as an image of its own; the phrase is fused with every one of them. A head
scores the pooled pair beside the phrase alone and the box's place and size in the image: what was cut out does not show
where it was, so "on the left" says nothing of the pair and need not survive pooling. The softmax is over an example's
own boxes.

Source: RefCOCO, Yu et al., 2016, https://arxiv.org/abs/1608.00272, whose box geometry this is (section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import Collate
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.interface import Examples
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.layers.heads import Classifier
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target, among, log_odds
from renaissance.tasks.common.evaluation import with_answers
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.targets import UNKNOWN
from renaissance.tasks.common.task import Question, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration

NO_BOX = -1  # in the place of a box that an example lacks
GEOMETRY = 5  # left, upper, right and lower edge and area, as shares of the image's


@dataclass(frozen=True)
class Boxes:
    """Cuts the boxes of each example out of its image (a `Collate`)."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Fetch the boxes.

        Args:
            batch: B examples.
            fetch: asks for parts of images.
            streams: not used.

        Returns:
            with K the most boxes of an example, "box": (B, K) long, the rows of the cut-out images, NO_BOX where an
            example has fewer; "geometry": (B, K, GEOMETRY) float; "target": (B,) long, the box that is meant.

        Raises:
            UserError: an image cannot be read, or an example has no boxes, or not the one that is meant.
        """
        indices = batch.index.tolist()
        boxes = [self._boxes(index, fetch) for index in indices]
        most = max(map(len, boxes))
        rows = torch.full((len(indices), most), NO_BOX)
        geometry = torch.zeros(len(indices), most, GEOMETRY)
        for row, index in enumerate(indices):
            width, height = fetch.size(index)
            for place, (left, upper, across, down) in enumerate(boxes[row]):
                rows[row, place] = fetch.image(index, box=(left, upper, across, down))
                edges = left / width, upper / height, (left + across) / width, (upper + down) / height
                geometry[row, place] = torch.tensor([*edges, across * down / (width * height)])
        meant = [fetch.value(index, "label") for index in indices]
        for index, own, number in zip(indices, boxes, meant, strict=True):
            if not own or (number is not None and number >= len(own)):
                raise UserError(
                    f"{fetch.examples.where(index)}: a phrase means box {number}, counted from 0, and there are "
                    f"{len(own)}. Prepare the table again."
                )
        target = torch.tensor([UNKNOWN if number is None else number for number in meant])
        return {"box": rows, "geometry": geometry, "target": target}

    def _boxes(self, index: int, fetch: Fetch) -> list[list[float]]:
        boxes: list[list[float]] = fetch.value(index, "boxes")
        meant = fetch.value(index, "label")
        if (meant or 0) >= len(boxes):
            raise UserError(
                f"{fetch.examples.where(index)}: a phrase means box {meant}, counted from 0, and there are "
                f"{len(boxes)}. Prepare the table again."
            )
        return boxes


class ReferringExpressionTask(Task):
    """Cross-entropy over the boxes of an example."""

    kind = "box"

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        model = context.model
        self.head = Classifier(model.pooled_size + model.text_size + GEOMETRY, 1, inner_size=model.pooled_size)

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        return Boxes()

    def scores(self, step: Step) -> Tensor:
        """Scores (B, K) of the boxes, minus infinity where there is none."""
        given = step.batch.collated[self.name]
        example, place = (given["box"] != NO_BOX).nonzero(as_tuple=True)  # (N,) each
        images = step.all_images.select(given["box"][example, place])
        text, image = step.kept(step.text.select(example), images, example)
        assert text is not None
        pooled = step.model.fuse(text, image, frozenset(("pooled",))).pooled
        assert pooled is not None
        phrase = step.model.fuse(text, None, frozenset(("pooled",))).pooled
        assert phrase is not None
        geometry = given["geometry"][example, place].to(pooled)
        found = self.head(torch.cat((pooled, phrase, geometry), dim=-1))[:, 0].float()
        return found.new_full(given["box"].shape, -torch.inf).index_put((example, place), found)

    def items(self, batch: Batch) -> int:
        return int((batch.collated[self.name]["target"] != UNKNOWN).sum())

    def forward(self, step: Step) -> Outcome:
        scores, target = self.scores(step), step.batch.collated[self.name]["target"]
        known = target != UNKNOWN
        losses = F.cross_entropy(scores, target, ignore_index=UNKNOWN, reduction="none")
        right = (scores.argmax(-1) == target).float()
        return Outcome(with_answers({"loss": losses, "accuracy": right}, known), known=known)

    def question(self, examples: Examples, index: int) -> Question:
        meant = examples.value(index, "label")
        return replace(super().question(examples, index), right="" if meant is None else str(meant))

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """The box that is meant, or the one asked for by its number from 0, by its log-odds among the boxes."""
        rows = step.batch.collated[self.name]["box"][0]
        numbers = [str(number) for number in range(int((rows != NO_BOX).sum()))]
        number = int(self.scores(step)[0].argmax()) if target is None else among(target, numbers, self.name)
        return Claim(
            numbers[number],
            lambda variants: log_odds(self.scores(variants), number),
            image_rows=(int(rows[number]),),
        )

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """The number of the box that each phrase means, from 0, and the probability of every box."""
        given = step.batch.collated[self.name]["box"] != NO_BOX
        return [
            {"answer": int(row.argmax()), "probabilities": row[there].tolist()}
            for row, there in zip(self.scores(step).softmax(-1).cpu(), given.cpu(), strict=True)
        ]
