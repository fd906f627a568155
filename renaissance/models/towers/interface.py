"""What a text tower and an image tower are, whatever is inside: a Hugging Face model, or an encoder of a plug-in."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from renaissance.data.batches.batch import Tokens
from renaissance.models.image_positions import ImagePositions
from renaissance.models.interface import Features


class TextTower(nn.Module, ABC):
    """Takes texts, hands out features.

    Attributes:
        encoder: what computes them.
        hidden_size: D.
    """

    encoder: nn.Module
    hidden_size: int

    @abstractmethod
    def forward(self, tokens: Tokens) -> Features:
        """B texts to features (B, L, D); what stands at padding has no meaning."""

    def unreached(self, pooled: bool) -> list[nn.Module | nn.Parameter]:
        """What no feature depends on; and where no text alone becomes one vector (`pooled`), what is for that."""
        return []


class ImageTower(nn.Module, ABC):
    """Takes pixels, hands out features.

    Attributes:
        encoder: what computes them.
        hidden_size: D.
        positions: what its P positions stand for.
    """

    encoder: nn.Module
    hidden_size: int
    positions: ImagePositions

    @abstractmethod
    def forward(self, pixels: Tensor) -> Features:
        """B images (B, 3, H, W) to features (B, P, D)."""

    def unreached(self, pooled: bool) -> list[nn.Module | nn.Parameter]:
        """What no feature depends on; and where no image alone becomes one vector (`pooled`), what is for that."""
        return []
