"""The space in which texts and images are compared: a task that has one, and what others ask of its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

from renaissance.tasks.common.contrastive_losses import stand_together

if TYPE_CHECKING:  # a step carries joint features
    from renaissance.tasks.common.step import Step


@dataclass(frozen=True)
class JointFeatures:
    """A batch's examples in the joint space, without gradients, for tasks that draw by similarity.

    Attributes:
        text: (B, E) the texts, of length 1.
        image: (B, E) the images, of length 1.
        text_id: (B,) long, equal for equal captions.
        image_id: (B,) long, equal for equal images.
        scale: what similarities are multiplied with before a softmax, a scalar.
    """

    text: Tensor
    image: Tensor
    text_id: Tensor
    image_id: Tensor
    scale: Tensor

    def logits_of_false(self) -> Tensor:
        """(B, B) scaled similarities of texts with images; minus infinity where text and image belong together."""
        logits = self.scale * self.text @ self.image.T
        return logits.masked_fill(stand_together(self.text_id, self.image_id), -float("inf"))


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
