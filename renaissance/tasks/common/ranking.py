"""Retrieval judged on a whole split: every text and every image is encoded once, every pair scored, in blocks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from renaissance.data.examples.belonging import belongs
from renaissance.models.interface import Features, VisionLanguageEncoder
from renaissance.tasks.common.evaluation import Judged, MeanEvaluation, Split
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.metrics.recall import chance_recalls, recalls_of_all_scores

BLOCK = 1024  # pairs that are fused at once

Score = Callable[[VisionLanguageEncoder, Features, Features], Tensor]


@dataclass(frozen=True)
class _Text:
    """A text of the split: its example, the row of its image, and its features (L, D) with their mask (L,)."""

    index: int
    row: int
    hidden: Tensor
    mask: Tensor


class RetrievalEvaluation(MeanEvaluation):
    """Recall at 1, 5 and 10 over a whole split: of the image to a text (`ir_r1`), of a text to an image (`tr_r1`).

    Loss and accuracy are those of the training's question, with false images drawn from the whole split.

    Args:
        task: what is judged.
        split: on what.
        score: how well N texts and images go together (N,).
        negatives: false images a text, for the loss.
    """

    def __init__(self, task: Judged, split: Split, score: Score, negatives: int) -> None:
        super().__init__(task, split)
        self._score = score
        self._negatives = negatives
        self._texts: list[_Text] = []
        self._images: dict[int, tuple[Tensor, Tensor]] = {}  # by row: features (P, D), mask (P,)
        self._model: VisionLanguageEncoder | None = None
        self._chance: dict[str, float] = {}

    def update(self, step: Step, outcome: Outcome) -> None:
        super().update(step, outcome)
        assert step.batch.row is not None
        self._model = step.model
        for place, (index, row) in enumerate(zip(step.batch.index.tolist(), step.batch.row.tolist(), strict=True)):
            self._texts.append(_Text(index, row, step.text.hidden[place].cpu(), step.text.mask[place].cpu()))
            if row not in self._images:
                self._images[row] = (step.image.hidden[place].cpu(), step.image.mask[place].cpu())

    def compute(self) -> dict[str, float]:
        images = {row: image for part in self.split.gathered([self._images]) for row, image in part.items()}
        rows = sorted(images)
        scores = self._scores(images, rows)
        for text, found in zip(self._texts, scores, strict=True):
            self._means.add(self.task.declaration.name, self.split.name, self._trained_for(text, found, rows))
        pairs = [(text.row, found) for text, found in zip(self._texts, scores, strict=True)]
        every = self.split.gathered(pairs)
        self._chance = chance_recalls(torch.bincount(torch.tensor([row for row, _ in every])))
        return super().compute() | recalls_of_all_scores(every, rows)

    def chance(self) -> dict[str, float]:
        return super().chance() | self._chance

    def _trained_for(self, text: _Text, scores: Tensor, rows: list[int]) -> dict[str, Tensor]:
        """The training's loss and accuracy (1,) of a text with scores (I,)."""
        examples, columns = self.split.examples, [bisect_left(rows, text.row)]
        for column in self.split.stream(text.index, "false images").permutation(len(rows)).tolist():
            if len(columns) > self._negatives:
                break
            if not belongs(examples, text.index, examples.of_row(rows[column]).start):
                columns.append(column)
        asked, true = scores[None, columns], torch.zeros(1, dtype=torch.long)
        return {"loss": F.cross_entropy(asked, true, reduction="none"), "accuracy": (asked.argmax(-1) == true).float()}

    @torch.no_grad()
    def _scores(self, images: dict[int, tuple[Tensor, Tensor]], rows: list[int]) -> list[Tensor]:
        """For each text of this process its scores (I,) with all images, in the order of their rows."""
        if self._model is None:
            return []
        weight = next(self._model.parameters())  # mixed precision ends with the batches: features as the weights are
        hidden, mask = (torch.stack([images[row][part] for row in rows]) for part in (0, 1))
        found = []
        for text in tqdm(self._texts, desc="retrieval", unit=" texts", disable=None, leave=False, delay=2):
            parts = []
            for start in range(0, len(rows), BLOCK):
                part = slice(start, start + BLOCK)
                image = Features(hidden[part].to(weight), mask[part].to(weight.device))
                pairs = (len(image.hidden), -1, -1)
                same = Features(text.hidden.to(weight).expand(pairs), text.mask.to(weight.device).expand(pairs[:2]))
                parts.append(self._score(self._model, same, image).cpu())
            found.append(torch.cat(parts))
        return found
