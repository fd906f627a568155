"""Image-text matching: does this text belong to this image?

Each pair of a batch keeps its partner or gets a false one, in the proportion
1 : `draw_false_image` + `draw_false_text`, so a batch holds as many pairs as examples. False partners come from
the batch, where their features are there already, or from the whole data set (`itm_false_from`). A false partner
is never the same image, nor another caption of it.

Source: ViLT, Kim et al., 2021, https://arxiv.org/abs/2102.03334, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from renaissance.data.batch import Batch
from renaissance.data.kinds import DataNeeds
from renaissance.data.loading import Draw, ExtraDrawer
from renaissance.data.text import TextProcessor
from renaissance.models.heads import PairHead
from renaissance.settings import Settings
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Outcome, Task, TaskContext


@dataclass(frozen=True)
class ItmDraw:
    """Which text and which image each pair of a batch consists of.

    Attributes:
        false_image: false images a true pair.
        false_text: false texts a true pair.
        false_from: where false partners come from, the "batch" or the whole "dataset".
    """

    false_image: int
    false_text: int
    false_from: Literal["batch", "dataset"]

    def __call__(self, batch: Batch, drawer: ExtraDrawer, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw the pairs.

        Args:
            batch: B examples.
            drawer: fetches further images and texts of the data set.
            streams: B generators, one an example.

        Returns:
            "text_row" and "image_row": (B,) long, where each pair's text and image lie in the batch;
            "label": (B,) long, 1 for a true pair.
        """
        rows = np.arange(batch.examples)
        text_row, image_row, label = rows.copy(), rows.copy(), np.ones_like(rows)
        assert batch.image_key is not None
        keys = batch.image_key.numpy()
        false = self.false_image + self.false_text
        for row, stream in enumerate(streams):
            if stream.random() * (1 + false) < 1:
                continue
            swap_image = stream.random() * false < self.false_image
            partner = self._partner(row, keys, drawer, stream, swap_image)
            if partner is None:
                continue
            (image_row if swap_image else text_row)[row] = partner
            label[row] = 0
        return {
            "text_row": torch.from_numpy(text_row),
            "image_row": torch.from_numpy(image_row),
            "label": torch.from_numpy(label),
        }

    def _partner(
        self, row: int, keys: np.ndarray, drawer: ExtraDrawer, stream: np.random.Generator, image: bool
    ) -> int | None:
        """A row of the batch that shows another image than `row`; None where the whole data set has none.

        A batch in which all texts are of one image (captions stand side by side in evaluation) takes from the set.
        """
        others = np.flatnonzero(keys != keys[row])
        if self.false_from == "batch" and len(others):
            return int(stream.choice(others))
        own = drawer.source.examples_of_image(int(keys[row]))
        others_in_set = len(drawer.source) - len(own)
        if not others_in_set:
            return None
        number = int(stream.integers(others_in_set))
        if number >= own.start:  # an image's captions stand side by side: step over them
            number += len(own)
        return drawer.add_image(number) if image else drawer.add_text(number)


class Itm(Task):
    """Two classes, match and mismatch, on the pooled features of a pair."""

    name = "itm"
    needs = DataNeeds(kind="caption", image=True, text=True)

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        self.head = PairHead(context.model.pooled_size)

    @classmethod
    def draw(cls, settings: Settings, text: TextProcessor | None) -> Draw:
        return ItmDraw(settings.draw_false_image, settings.draw_false_text, settings.itm_false_from)

    def forward(self, step: Step) -> Outcome:
        drawn = step.batch.drawn[self.name]
        fused = step.fuse(
            step.texts.select(drawn["text_row"]),
            step.images.select(drawn["image_row"]),
            outputs=frozenset(("pooled",)),
        )
        logits = self.head(fused.pooled)  # (B, 2)
        losses = F.cross_entropy(logits.float(), drawn["label"], reduction="none")
        return Outcome({"loss": losses, "accuracy": (logits.argmax(-1) == drawn["label"]).float()})


TASK = Itm
