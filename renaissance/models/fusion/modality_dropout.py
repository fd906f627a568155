"""Modality dropout: in training, an example's whole text or whole image is left out before the two are fused.

Comes in: the features of a batch. Goes out: the same with zeros for what was drawn, never both of an example, so that
a model does not come to rely on one modality alone (ModDrop, Neverova et al. 2014, https://arxiv.org/abs/1501.00102).
What remains is not scaled: a text is there or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from renaissance.models.interface import Features


@dataclass(frozen=True)
class ModalityDropout:
    """Which examples of a batch lose a modality.

    Attributes:
        text: (B,) bool, True where the text is left out.
        image: (B,) bool, True where the image is.
    """

    text: Tensor
    image: Tensor

    @classmethod
    def draw(
        cls, text_rate: float, image_rate: float, examples: int, generator: np.random.Generator
    ) -> ModalityDropout:
        """Draw for a batch.

        Args:
            text_rate: share of the examples that lose their text.
            image_rate: share of the examples that lose their image; together at most 1.
            examples: B.
            generator: gives the random numbers.
        """
        drawn = torch.from_numpy(generator.random(examples))  # one number an example, so it never loses both
        return cls(drawn < text_rate, drawn >= 1 - image_rate)

    def to(self, device: torch.device | str) -> ModalityDropout:
        """The same on another device."""
        return ModalityDropout(self.text.to(device), self.image.to(device))

    def of_pairs(self, example: Tensor) -> ModalityDropout:
        """The same for N pairs of a text and an image, each of which loses what its example (N,) long loses."""
        return ModalityDropout(self.text[example], self.image[example])

    def apply(self, text: Features, image: Features) -> tuple[Features, Features]:
        """Text (B, L, D) and image (B, P, D) with zeros where they are left out; the masks stay, so attention works."""
        return _without(text, self.text), _without(image, self.image)


def _without(features: Features, dropped: Tensor) -> Features:
    return Features(features.hidden.masked_fill(dropped[:, None, None], 0.0), features.mask)
