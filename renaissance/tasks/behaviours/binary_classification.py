"""Tasks with two classes that are judged by F1 too: of the second class, over a whole split."""

from __future__ import annotations

import torch
from torch import Tensor

from renaissance.tasks.behaviours.classification import ClassificationTask
from renaissance.tasks.common.evaluation import MeanEvaluation, Split
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step


class BinaryClassificationTask(ClassificationTask):
    """Cross-entropy over two classes, the second of which is the one to be found."""

    def evaluation(self, split: Split) -> F1Evaluation:
        return F1Evaluation(self, split)


class F1Evaluation(MeanEvaluation):
    """Means over examples; and F1, which is no mean: it is counted over the split."""

    def __init__(self, task: ClassificationTask, split: Split) -> None:
        super().__init__(task, split)
        self._found: list[tuple[int, int]] = []  # class found, class wanted, of the examples with answers

    def update(self, step: Step, outcome: Outcome) -> None:
        super().update(step, outcome)
        self._found += zip(*(one.tolist() for one in self._pairs(outcome)), strict=True)

    def _pairs(self, outcome: Outcome) -> tuple[Tensor, Tensor]:
        return outcome.details["found"], outcome.details["wanted"]

    def compute(self) -> dict[str, float]:
        pairs = torch.tensor(self.split.gathered(self._found)).view(-1, 2)
        found, wanted = pairs[:, 0] == 1, pairs[:, 1] == 1
        both = int((found & wanted).sum())
        either = int(found.sum() + wanted.sum())
        return super().compute() | ({"f1": 2 * both / either if either else 0.0} if len(pairs) else {})
