"""Retrieval: which image does a text belong to, and which texts an image, among all of a split?

Training scores a text with its own image and with `NEGATIVES` images that it does not belong to, which come from the
batch, where their features are there already; the softmax is over these. Evaluation scores every pair of a split
(`ranking.py`), and takes the false images for its loss from the whole of it, whatever batches it comes in.

Source: the fine-tuning for retrieval of ViLT, Kim et al., 2021, https://arxiv.org/abs/2102.03334, section 4.3.
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
from renaissance.data.examples.belonging import belongs
from renaissance.data.examples.interface import Examples
from renaissance.data.text.processor import TextProcessor
from renaissance.models.interface import Features, VisionLanguageEncoder
from renaissance.models.layers.heads import PairHead
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target, among
from renaissance.tasks.common.evaluation import Split
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.ranking import RetrievalEvaluation
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Question, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration

NEGATIVES = 3  # false images a text
MOST_DRAWS = 50  # of examples of the data set, till one is a false partner


@dataclass(frozen=True)
class Candidates:
    """The images that a text is scored with (a `Collate`)."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw false images, from the batch as far as it has some.

        Args:
            batch: B examples.
            fetch: asks for further images.
            streams: B generators, one an example.

        Returns:
            "image": (B, 1 + NEGATIVES) long, rows of images, the true one first.
        """
        index = batch.index.tolist()
        return {"image": torch.tensor([[row, *self._false(row, index, fetch, one)] for row, one in enumerate(streams)])}

    def _false(self, row: int, index: list[int], fetch: Fetch, stream: np.random.Generator) -> list[int]:
        found: list[int] = []
        for place in stream.permutation(len(index)).tolist():
            if len(found) < NEGATIVES and not belongs(fetch.examples, index[row], index[place]):
                found.append(place)
        for _ in range(MOST_DRAWS):
            number = int(stream.integers(len(fetch.examples)))
            if len(found) < NEGATIVES and not belongs(fetch.examples, index[row], number):
                found.append(fetch.image(number))
        return [*found, *[row] * (NEGATIVES - len(found))]  # of a data set of one image: nothing is to be learnt


class RetrievalTask(Task):
    """Cross-entropy over a text's own image and false ones, on the pooled features of each pair."""

    kind = "score"

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        self.head = PairHead(context.model.pooled_size)

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate | None:
        return Candidates() if training else None

    def score(self, model: VisionLanguageEncoder, text: Features, image: Features) -> Tensor:
        """How well N texts and images go together (N,): the log-odds of a match."""
        logits: Tensor = self.head(model.fuse(text, image, frozenset(("pooled",))).pooled)
        return (logits[:, 1] - logits[:, 0]).float()

    def forward(self, step: Step) -> Outcome:
        if self.name not in step.batch.collated:  # an evaluation, which scores all pairs at its end
            return Outcome({})
        rows = step.batch.collated[self.name]["image"]  # (B, 1 + NEGATIVES)
        example = torch.arange(len(rows), device=rows.device).repeat_interleave(rows.shape[1])
        text, image = step.kept(step.all_texts.select(example), step.all_images.select(rows.flatten()), example)
        assert text is not None
        assert image is not None
        scores = self.score(step.model, text, image).view(rows.shape)
        target = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
        losses = F.cross_entropy(scores, target, reduction="none")
        return Outcome({"loss": losses, "accuracy": (scores.argmax(-1) == target).float()})

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """How well each example's text and image go together; what it says is which of several pairs do so best."""
        return [{"score": score} for score in self.score(step.model, step.text, step.image).tolist()]

    def question(self, examples: Examples, index: int) -> Question:
        """A text with its own image, which match."""
        return replace(super().question(examples, index), right="match")

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """That text and image go together, by their score; it compares pairs, and is no probability of one alone."""
        answer = ("match",)[among(0 if target is None else target, ("match",), self.name)]
        return Claim(answer, lambda pairs: self.score(pairs.model, pairs.text, pairs.image), "similarity")

    def evaluation(self, split: Split) -> RetrievalEvaluation:
        return RetrievalEvaluation(self, split, self.score, NEGATIVES)
