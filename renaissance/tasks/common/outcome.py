"""What a task makes of a step: a loss and metrics, one value an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from renaissance.errors import UserError


@dataclass(frozen=True)
class Outcome:
    """What a task made of a step.

    Attributes:
        values: per metric one value an item (N,), so that a mean over a whole split, or over an optimiser step,
            weighs every item alike, however the items were batched. "loss", which is minimised, is among them; an
            example without an answer is no item.
        details: what an evaluation of the task looks at beside its values, by name.
        known: where items are examples, which of the B examples have an answer and so a value (B,) bool; None where
            they are something else, such as hidden words.

    Raises:
        UserError: a value is not one number an item.
    """

    values: Mapping[str, Tensor]
    details: Mapping[str, Tensor] = field(default_factory=dict)
    known: Tensor | None = None

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if value.dim() != 1:
                raise UserError(
                    f"A task's value {name!r} has the shape {tuple(value.shape)}; it should be one number an item, "
                    '(N,), with reduction="none" for instance: the mean is taken over whole splits and steps.'
                )

    def values_of_examples(self, examples: int) -> list[dict[str, float]]:
        """Of each example its metrics' values by name, in the order of the batch; none of one without an answer.

        Args:
            examples: B, of the batch.

        Returns:
            B dictionaries, empty where items are no examples.
        """
        found: list[dict[str, float]] = [{} for _ in range(examples)]
        if self.known is None:
            return found
        columns = {name: value.detach().float().tolist() for name, value in self.values.items()}
        for item, index in enumerate(self.known.nonzero()[:, 0].tolist()):
            found[index] = {name: column[item] for name, column in columns.items()}
        return found

    @property
    def loss(self) -> Tensor:
        """The mean of the items' losses, a scalar; 0 where there is no item: a mean over nothing would be NaN.

        Raises:
            UserError: there are no losses.
        """
        losses = self.values.get("loss")
        if losses is None:
            raise UserError(f"A task gave no 'loss' among its values ({', '.join(self.values)}).")
        return losses.sum() / max(1, len(losses))

    def share_of_step(self, step_items: Tensor) -> Tensor:
        """What this batch adds to the mean of the losses over all `step_items` items of an optimiser step: a scalar."""
        return self.values["loss"].sum() / step_items
