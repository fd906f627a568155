"""What a task makes of a step: a loss and metrics, one value an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """What a task made of a step.

    Attributes:
        values: per metric one value an item (N,), so that a mean over a whole split, or over an optimiser step,
            weighs every item alike, however the items were batched. "loss", which is minimised, is among them; an
            example without an answer is no item.
        details: what an evaluation of the task looks at beside its values, by name.
    """

    values: Mapping[str, Tensor]
    details: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def loss(self) -> Tensor:
        """The mean of the items' losses, a scalar; 0 where there is no item: a mean over nothing would be NaN."""
        losses = self.values["loss"]
        return losses.sum() / max(1, len(losses))

    def share_of_step(self, step_items: Tensor) -> Tensor:
        """What this batch adds to the mean of the losses over all `step_items` items of an optimiser step: a scalar."""
        return self.values["loss"].sum() / step_items
