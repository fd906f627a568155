"""Image-text matching: does this text belong to this image?

Each pair of a batch keeps its partner or gets a false one, in the proportion
1 : `draw_false_image` + `draw_false_text`, so a batch holds as many pairs as examples. In training false partners come
from the batch, where their features are there already, or from the whole data set (`itm_false_from`); beside
`contrastive` also from the batch by their similarity (`hard_pairs.py`). In validation and test they come from the whole
split, so that the questions do not depend on how it is cut into batches. A false partner is never the same image, nor
another caption of it, nor does it belong to the pair by chance: the same file of an image in another table, and a
caption with the same words, are no false partners.

Source: ViLT, Kim et al., 2021, https://arxiv.org/abs/2102.03334, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import Collate
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.belonging import belongs
from renaissance.data.examples.interface import Examples
from renaissance.data.text.processor import TextProcessor
from renaissance.models.layers.heads import PairHead
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.behaviours.hard_pairs import DrawHardPairs, hard_pairs
from renaissance.tasks.common.claim import Claim, Target, among, log_odds
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Question, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration

ANSWERS = ("mismatch", "match")  # of the two classes, by their number
MOST_DRAWS = 50  # of examples of the data set, till one is a false partner


@dataclass(frozen=True)
class DrawPairs:
    """Which text and which image each pair of a batch consists of.

    Attributes:
        false_image: false images a true pair.
        false_text: false texts a true pair.
        false_from: where false partners come from, the "batch" or the whole "dataset".
    """

    false_image: int
    false_text: int
    false_from: Literal["batch", "dataset"]

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw the pairs.

        Args:
            batch: B examples.
            fetch: asks for further images and texts of the data set.
            streams: B generators, one an example.

        Returns:
            "text_row" and "image_row": (B,) long, where each pair's text and image lie in the batch;
            "label": (B,) long, 1 for a true pair.
        """
        rows = np.arange(batch.examples)
        text_row, image_row, label = rows.copy(), rows.copy(), np.ones_like(rows)
        false = self.false_image + self.false_text
        for row, stream in enumerate(streams):
            if stream.random() * (1 + false) < 1:
                continue
            swap_image = stream.random() * false < self.false_image
            partner = self._partner(row, batch, fetch, stream, swap_image)
            if partner is None:
                continue
            (image_row if swap_image else text_row)[row] = partner
            label[row] = 0
        return {
            "text_row": torch.from_numpy(text_row),
            "image_row": torch.from_numpy(image_row),
            "label": torch.from_numpy(label),
        }

    def _partner(self, row: int, batch: Batch, fetch: Fetch, stream: np.random.Generator, image: bool) -> int | None:
        """The row of a false partner for the text (or, for a false text, the image) of `row`; None where none is found.

        A batch in which all texts are of one image (captions may stand side by side) takes from the set.
        """
        assert batch.row is not None
        index = batch.index.tolist()
        own = index[row]

        def is_false(other: int) -> bool:
            text, picture = (own, other) if image else (other, own)
            return not belongs(fetch.examples, text, picture)

        if self.false_from == "batch":
            others = np.flatnonzero(batch.row.numpy() != int(batch.row[row]))
            for place in stream.permutation(others).tolist():
                if is_false(index[place]):
                    return int(place)
        for _ in range(MOST_DRAWS):
            number = int(stream.integers(len(fetch.examples)))
            if is_false(number):
                return fetch.image(number) if image else fetch.text(number)
        return None


class ImageTextMatchingTask(Task):
    """Two classes, match and mismatch, on the pooled features of a pair."""

    kind = "match"

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        self.head = PairHead(context.model.pooled_size)

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        numbers = settings.draw_false_image, settings.draw_false_text
        if not training:
            return DrawPairs(*numbers, "dataset")
        if settings.itm_false_from == "hard":
            return DrawHardPairs(*numbers)
        return DrawPairs(*numbers, settings.itm_false_from)

    @classmethod
    def collate_inputs(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None
    ) -> Collate | None:
        return None

    def _pairs(self, step: Step) -> Mapping[str, Tensor] | None:
        """The rows of texts and images that were drawn, with labels; None where nothing was."""
        drawn = step.batch.collated.get(self.name)
        if drawn is None or "number" not in drawn:
            return drawn
        if step.joint is None:
            raise RuntimeError("hard false pairs are drawn by what `contrastive` makes of a step, which comes first")
        return hard_pairs(drawn, step.joint)

    def logits(self, step: Step, pairs: Mapping[str, Tensor] | None) -> Tensor:
        """Scores (B, 2) of pairs; with None, of each example's own text and image."""
        text, image = (
            (step.text, step.image)
            if pairs is None
            else (step.all_texts.select(pairs["text_row"]), step.all_images.select(pairs["image_row"]))
        )
        logits: Tensor = self.head(step.fuse(text, image, outputs=frozenset(("pooled",))).pooled)
        return logits

    def forward(self, step: Step) -> Outcome:
        pairs = self._pairs(step)
        assert pairs is not None
        logits = self.logits(step, pairs)
        losses = F.cross_entropy(logits.float(), pairs["label"], reduction="none")
        return Outcome({"loss": losses, "accuracy": (logits.argmax(-1) == pairs["label"]).float()})

    def chance(self) -> dict[str, float]:
        """Match and mismatch are equally likely to be guessed, however many pairs are false."""
        return {"accuracy": 1 / 2}

    def question(self, examples: Examples, index: int) -> Question:
        """A text with its own image, which match."""
        return replace(super().question(examples, index), right="match")

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """Whether the example's own text and image match, by the log-odds."""
        own = self.logits(step, self._pairs(step))[0]
        number = int(own.argmax()) if target is None else among(target, ANSWERS, self.name)
        return Claim(ANSWERS[number], lambda step: log_odds(self.logits(step, self._pairs(step)), number))

    def answer_names(self) -> list[str]:
        """Mismatch and match."""
        return list(ANSWERS)

    def probabilities(self, step: Step) -> Tensor:
        """The probabilities (B, 2) float32 of mismatch and match."""
        return self.logits(step, self._pairs(step)).float().softmax(-1)

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """The probability of a "match" of each pair."""
        return [{"match": match} for match in self.probabilities(step)[:, 1].tolist()]
