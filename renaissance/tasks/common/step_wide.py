"""Tasks whose loss is over a whole optimiser step: every example is compared with every other one of it.

A loss that is a mean over examples can be added up micro-batch by micro-batch. One in which examples are each other's
negatives cannot: a step in eight parts would have an eighth of the negatives. Such a task says apart what it needs of a
micro-batch and what it makes of all of them, so that training can put the micro-batches of a step, on all devices,
together before the loss is computed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor

from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task


class StepWideTask(Task):
    """A task whose loss compares all examples of an optimiser step with each other."""

    @abstractmethod
    def contribute(self, step: Step) -> dict[str, Tensor]:
        """What the loss needs of a micro-batch, by name; of each the first dimension is B.

        Features have gradients. Identifiers are integers, without, and the same for the same thing in every process
        and micro-batch.

        Args:
            step: B examples.
        """

    @abstractmethod
    def loss_over(self, contributions: Mapping[str, Tensor]) -> Outcome:
        """The loss and the metrics' values of N examples, all that are compared with each other.

        Args:
            contributions: what `contribute` gave of their micro-batches, joined along the first dimension (N, ...).
        """

    def forward(self, step: Step) -> Outcome:
        """The loss and the metrics' values of a step that is one micro-batch, or of a batch in validation and test."""
        return self.loss_over(self.contribute(step))
