"""Recall at K of retrieval, in both directions, from the scores of all pairs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

RANKS = (1, 5, 10)


def recalls(scores: Sequence[tuple[int, Tensor]], rows: Sequence[int]) -> dict[str, float]:
    """Recall at each of RANKS, in both directions; of equal scores, and of such as are NaN, the true one is the last.

    Args:
        scores: for each of T texts the row of its image, and its scores (I,) with every image.
        rows: the row of each of the I images.
    """
    table = torch.stack([one for _, one in scores])  # (T, I)
    true = torch.tensor([own for own, _ in scores])[:, None] == torch.tensor(rows)  # (T, I)
    best = table.masked_fill(~true, -torch.inf)
    of_images = (~(table < best.amax(dim=1, keepdim=True)) & ~true).sum(dim=1) + 1  # (T,) ranks from 1
    of_texts = (~(table < best.amax(dim=0)) & ~true).sum(dim=0) + 1  # (I,) of an image's best text
    return {
        f"{direction}_r{most}": float((ranks <= most).float().mean())
        for direction, ranks in (("ir", of_images), ("tr", of_texts))
        for most in RANKS
    }
