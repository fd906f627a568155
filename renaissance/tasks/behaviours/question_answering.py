"""Answering questions about images: one of C known answers, each of which several people gave or did not give.

An answer's target is its score, from the number of people who gave it, so the loss is a binary cross-entropy for each
of the C answers, summed over them, and the metric the score of the answer that is most probable.

Source: VQA v2, Goyal et al., 2017, https://arxiv.org/abs/1612.00837; soft targets of Teney et al., 2018,
https://arxiv.org/abs/1708.02711, as in ViLT and METER.
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
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.behaviours.classification import ClassificationTask
from renaissance.tasks.common.evaluation import with_answers
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Question, Task
from renaissance.tasks.declaration import TaskDeclaration

RANKED = 5  # answers that a prediction names


@dataclass(frozen=True)
class AnswerScores:
    """The scores of the answers that people gave (a `Collate`)."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Read the answers.

        Args:
            batch: B examples.
            fetch: reads them.
            streams: not used.

        Returns:
            of the M answers of all examples "row": (M,) long, the example; "answer": (M,) long, its number; "score":
            (M,) float; and "known": (B,) bool, whether an example has answers at all.

        Raises:
            UserError: a question has more answers than scores, or fewer.
        """
        given = [self._given(index, fetch) for index in batch.index.tolist()]
        return {
            "row": torch.tensor([row for row, (answers, _) in enumerate(given) for _ in answers], dtype=torch.long),
            "answer": torch.tensor([answer for answers, _ in given for answer in answers], dtype=torch.long),
            "score": torch.tensor([score for _, scores in given for score in scores], dtype=torch.float),
            "known": torch.tensor([bool(answers) for answers, _ in given]),
        }

    def _given(self, index: int, fetch: Fetch) -> tuple[list[int], list[float]]:
        answers, scores = fetch.value(index, "answers"), fetch.value(index, "scores")
        if len(answers) != len(scores):
            raise UserError(
                f"{fetch.examples.where(index)}: a question has {len(answers)} answers and {len(scores)} scores. "
                "Prepare the table again."
            )
        return answers, scores


class QuestionAnsweringTask(ClassificationTask):
    """Binary cross-entropy of each answer, on the pooled features of a question and an image."""

    kind = "ranked"

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        return AnswerScores()

    def items(self, batch: Batch) -> int:
        return int(batch.collated[self.name]["known"].sum())

    def forward(self, step: Step) -> Outcome:
        given, logits = step.batch.collated[self.name], self.logits(step).float()  # (B, C)
        target = torch.zeros_like(logits).index_put((given["row"], given["answer"]), given["score"])
        losses = step.of_targets(
            target, lambda wanted: F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(-1)
        )
        chosen = logits.argmax(-1, keepdim=True)
        scores = step.of_targets(target, lambda wanted: wanted.gather(-1, chosen)[:, 0])
        known = given["known"]
        return Outcome(with_answers({"loss": losses, "score": scores}, known), known=known)

    def question(self, examples: Examples, index: int) -> Question:
        """The right answer is the one of the highest score."""
        assert self.class_names is not None
        scores = dict(zip(examples.value(index, "answers"), examples.value(index, "scores"), strict=True))
        right = self.class_names[max(scores, key=scores.__getitem__)] if scores else ""
        return replace(Task.question(self, examples, index), right=right)

    def log_odds(self, logits: Tensor, number: int) -> Tensor:
        """The score itself: each answer is true or not, whatever the others are."""
        return logits[:, number].float()

    def probabilities(self, step: Step) -> Tensor:
        """The probability (B, C) float32 of every answer; each is true or not, whatever the others are."""
        return self.logits(step).float().sigmoid()

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """The most probable answer to each question, and the best ones with their probabilities."""
        assert self.class_names is not None
        probabilities, numbers = self.probabilities(step).topk(min(RANKED, len(self.class_names)))
        ranked = [
            {self.class_names[number]: probability for number, probability in zip(*row, strict=True)}
            for row in zip(numbers.tolist(), probabilities.tolist(), strict=True)
        ]
        return [{"answer": next(iter(answers)), "probabilities": answers} for answers in ranked]
