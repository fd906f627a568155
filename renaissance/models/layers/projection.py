"""From a tower's width to that of the part that reads it, a fuser or a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from renaissance.models.layers.initialise import STANDARD_DEVIATION, initialise


class Projection(nn.Module):
    """A tower's features brought to the width of what reads them, with a vector that says which modality they are.

    Args:
        tower_size: width of the tower.
        size: D, width of the fuser or the decoder.
    """

    def __init__(self, tower_size: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(tower_size, size)
        self.modality = nn.Parameter(torch.empty(size))
        initialise(self)
        nn.init.normal_(self.modality, std=STANDARD_DEVIATION)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, N, `tower_size`) to (B, N, D)."""
        return self.linear(hidden) + self.modality
