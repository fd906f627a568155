"""A task with a space in which texts and images are compared, as whoever uses a trained model asks for it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from renaissance.tasks.common.step import Step


@runtime_checkable
class JointSpace(Protocol):
    """A task with a joint space of width E.

    Attributes:
        scale: what similarities are multiplied with.
        bias: what is added then, for the sigmoid that is the probability of a match; None where the model was trained
            with a softmax, which compares and gives no probability to a single pair.
    """

    @property
    def scale(self) -> float: ...

    @property
    def bias(self) -> float | None: ...

    def embed_text(self, step: Step) -> Tensor:
        """The texts of a step in the joint space (B, E), of length 1."""

    def embed_image(self, step: Step) -> Tensor:
        """The images of a step in the joint space (B, E), of length 1."""
