"""The positions of an encoded image: which of them stand for no patch, and how all become one vector.

Comes in: an image encoder, and later what it makes of images (B, P, D). Goes out: one vector an image (B, D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from transformers import PreTrainedModel

ImagePooling = Literal["cls", "mean", "max"]

# What encoders call the learnt vectors that they put before the patches; a class position is the first.
CLASS_POSITIONS = ("cls_token", "class_embedding", "class_token")
BEFORE_PATCHES = (*CLASS_POSITIONS, "distillation_token", "register_tokens")


@dataclass(frozen=True)
class ImagePositions:
    """What the positions of an encoded image stand for.

    Attributes:
        has_class: whether position 0 stands for the whole image.
        before: positions before the first patch: the class position, DeiT's distillation position, registers.
    """

    has_class: bool = False
    before: int = 0

    def pool(self, hidden: Tensor, pooling: ImagePooling) -> Tensor:
        """One vector an image.

        Args:
            hidden: (B, P, D).
            pooling: "cls" takes the class position, or the mean of the patches where there is none; "mean" and "max"
                are taken over the patches alone, feature by feature.

        Returns:
            (B, D).
        """
        if pooling == "cls" and self.has_class:
            return hidden[:, 0]
        patches = hidden[:, self.before :]
        return patches.amax(dim=1) if pooling == "max" else patches.mean(dim=1)


def find_image_positions(encoder: PreTrainedModel) -> ImagePositions:
    """What the positions of a Hugging Face encoder that makes a sequence of an image stand for."""
    return ImagePositions(_count(encoder, CLASS_POSITIONS) > 0, _count(encoder, BEFORE_PATCHES))


def _count(encoder: PreTrainedModel, names: tuple[str, ...]) -> int:
    """How many positions the encoder's learnt vectors of these names fill: (D,), or (1, positions, D)."""
    found = (parameter for name, parameter in encoder.named_parameters() if name.endswith(names))
    return sum(1 if parameter.dim() == 1 else parameter.shape[-2] for parameter in found)
