"""Tasks that put an example into one of C classes, from its image, its text, or both."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from renaissance.errors import UserError
from renaissance.models.layers.heads import Classifier
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Outcome, Task, TaskContext


class ClassificationTask(Task):
    """Cross-entropy over C classes on the pooled features of the modalities that `needs` names."""

    mixable = True

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        if context.label_names is None:
            raise UserError(
                f"{self.name} needs to know the classes, and its tables name none (`label_names` in their metadata). "
                "Prepare them again with `python run.py prepare with dataset=…`."
            )
        self.head = Classifier(self._pooled_size(context), len(context.label_names))

    def _pooled_size(self, context: TaskContext) -> int:
        model = context.model
        if self.needs.text and self.needs.image:
            return model.pooled_size
        return model.text_size if self.needs.text else model.image_size

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
        logits = self.logits(step)
        losses = step.of_labels(lambda label: F.cross_entropy(logits.float(), label, reduction="none"))
        correct = step.of_labels(lambda label: (logits.argmax(-1) == label).float())
        return Outcome({"loss": losses, "accuracy": correct})

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """The likeliest class of each example, "label", and all "probabilities" by class."""
        names = self.label_names
        assert names is not None
        probabilities = self.logits(step).float().softmax(-1)  # (B, C)
        best = probabilities.argmax(-1).tolist()
        return [
            {"label": names[label], "probabilities": dict(zip(names, row, strict=True))}
            for label, row in zip(best, probabilities.tolist(), strict=True)
        ]
