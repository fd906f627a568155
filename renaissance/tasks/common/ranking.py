"""Retrieval judged on a whole split: every text and every image is encoded once, every pair scored, in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from renaissance.models.interface import Features, VisionLanguageEncoder
from renaissance.tasks.common.evaluation import MeanEvaluation, Split
from renaissance.tasks.common.step import Step
from renaissance.tasks.metrics.recall import recalls

if TYPE_CHECKING:
    from renaissance.tasks.common.task import Outcome, Task

BLOCK = 1024  # pairs that are fused at once

Score = Callable[[VisionLanguageEncoder, Features, Features], Tensor]


class RetrievalEvaluation(MeanEvaluation):
    """Recall at 1, 5 and 10 over a whole split: of the image to a text (`ir_r1`), of a text to an image (`tr_r1`).

    Args:
        task: what is judged.
        split: on what.
        score: how well N texts and images go together (N,).
    """

    def __init__(self, task: Task, split: Split, score: Score) -> None:
        super().__init__(task, split)
        self._score = score
        self._texts: list[tuple[int, Tensor, Tensor]] = []  # row of its image, features (L, D), mask (L,)
        self._images: dict[int, tuple[Tensor, Tensor]] = {}  # by row: features (P, D), mask (P,)
        self._model: VisionLanguageEncoder | None = None

    def update(self, step: Step, outcome: Outcome) -> None:
        super().update(step, outcome)
        assert step.batch.row is not None
        self._model = step.model
        for place, row in enumerate(step.batch.row.tolist()):
            self._texts.append((row, step.text.hidden[place].cpu(), step.text.mask[place].cpu()))
            if row not in self._images:
                self._images[row] = (step.image.hidden[place].cpu(), step.image.mask[place].cpu())

    def compute(self) -> dict[str, float]:
        images = {row: image for part in self.split.gathered([self._images]) for row, image in part.items()}
        rows = sorted(images)
        scores = [(row, scores) for (row, *_), scores in zip(self._texts, self._scores(images, rows), strict=True)]
        return super().compute() | recalls(self.split.gathered(scores), rows)

    @torch.no_grad()
    def _scores(self, images: dict[int, tuple[Tensor, Tensor]], rows: list[int]) -> list[Tensor]:
        """For each text of this process its scores (I,) with all images, in the order of their rows."""
        if self._model is None:
            return []
        device = next(self._model.parameters()).device
        hidden, mask = (torch.stack([images[row][part] for row in rows]) for part in (0, 1))
        found = []
        for _, text, text_mask in tqdm(
            self._texts, desc="retrieval", unit=" texts", disable=None, leave=False, delay=2
        ):
            parts = []
            for start in range(0, len(rows), BLOCK):
                image = Features(hidden[start : start + BLOCK].to(device), mask[start : start + BLOCK].to(device))
                pairs = (len(image.hidden), -1, -1)
                same = Features(text.to(device).expand(pairs), text_mask.to(device).expand(pairs[:2]))
                parts.append(self._score(self._model, same, image).cpu())
            found.append(torch.cat(parts))
        return found
