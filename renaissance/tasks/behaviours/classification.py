"""Tasks that put an example into one of C classes, from its image, its text, or both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import Collate
from renaissance.data.examples.interface import Examples
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.layers.heads import Classifier
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target, among, log_odds
from renaissance.tasks.common.evaluation import with_answers
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.targets import UNKNOWN, ClassTargets
from renaissance.tasks.common.task import Question, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration


class ClassificationTask(Task):
    """Cross-entropy over C classes on the pooled features of the modalities that `needs` names."""

    kind = "classes"

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        if context.class_names is None:
            raise UserError(
                f"{self.name} needs to know the classes, and its tables name none (`label_names` in their metadata). "
                "Prepare them again with `python run.py prepare with dataset=…`."
            )
        self.head = Classifier(self._pooled_size(context), len(context.class_names))

    def _pooled_size(self, context: TaskContext) -> int:
        model = context.model
        if self.needs.text and self.needs.image:
            return model.pooled_size
        return model.text_size if self.needs.text else model.image_size

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        return ClassTargets("label")

    def items(self, batch: Batch) -> int:
        return int((batch.collated[self.name]["target"] != UNKNOWN).sum())

    def logits(self, step: Step) -> Tensor:
        """Scores (B, C) of the classes."""
        fused = step.fuse(
            step.text if self.needs.text else None,
            step.image if self.needs.image else None,
            outputs=frozenset(("pooled",)),
        )
        assert fused.pooled is not None
        logits: Tensor = self.head(fused.pooled)
        return logits

    def forward(self, step: Step) -> Outcome:
        wanted, logits = step.batch.collated[self.name]["target"], self.logits(step)
        losses = step.of_targets(
            wanted, lambda label: F.cross_entropy(logits.float(), label, ignore_index=UNKNOWN, reduction="none")
        )
        known, found = wanted != UNKNOWN, logits.argmax(-1)
        correct = step.of_targets(wanted, lambda label: (found == label).float())
        counted = step.of_targets(known.float(), lambda share: share) > 0  # of two that are mixed, one may be known
        details = {"found": found[known], "wanted": wanted[known]}
        return Outcome(with_answers({"loss": losses, "accuracy": correct}, counted), details, counted)

    def chance(self) -> dict[str, float]:
        """One class is as likely as another."""
        assert self.class_names is not None
        return {"accuracy": 1 / len(self.class_names)}

    def question(self, examples: Examples, index: int) -> Question:
        assert self.class_names is not None
        label = examples.value(index, "label")
        return replace(super().question(examples, index), right="" if label is None else self.class_names[label])

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """The most probable class, or the one asked for, by its log-odds."""
        assert self.class_names is not None
        number = int(self.logits(step)[0].argmax()) if target is None else among(target, self.class_names, self.name)
        return Claim(self.class_names[number], lambda variants: self.log_odds(self.logits(variants), number))

    def log_odds(self, logits: Tensor, number: int) -> Tensor:
        """The log-odds (B,) of a class, from scores (B, C)."""
        return log_odds(logits, number)

    def answer_names(self) -> list[str]:
        """The classes."""
        assert self.class_names is not None
        return self.class_names

    def probabilities(self, step: Step) -> Tensor:
        """The probability (B, C) float32 of every class."""
        return self.logits(step).float().softmax(-1)

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """The most probable class of each example, and the probability of every class by name."""
        assert self.class_names is not None
        found = self.probabilities(step).tolist()
        return [
            {
                "answer": self.class_names[max(range(len(row)), key=row.__getitem__)],
                "probabilities": dict(zip(self.class_names, row, strict=True)),
            }
            for row in found
        ]
