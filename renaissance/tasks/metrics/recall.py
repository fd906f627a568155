"""Ranks of what was to be found, and from them recall at K and the median rank, in both directions of retrieval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

RANKS = (1, 5, 10)


def ranks_of_best(scores: Tensor, query: Tensor, candidate: Tensor, tolerance: float = 0.0) -> Tensor:
    """At which place each query finds the best of its own candidates (Q,), from 1.

    Before it come the candidates of others with higher scores, and those with equal ones: a tie counts against the
    model, as scores do that are NaN. Its own other candidates count for nothing.

    Args:
        scores: (Q, C) of each query with each candidate.
        query: (M,) long, the rows of the M pairs of a query and a candidate of its own; every query is there.
        candidate: (M,) long, their columns.
        tolerance: scores that differ by no more are equal.
    """
    own = scores[query, candidate]
    best = scores.new_full((len(scores),), -torch.inf).scatter_reduce(0, query, own, "amax")
    least = best - tolerance
    before = (~(scores < least[:, None])).sum(dim=1, dtype=torch.int32).long()
    own_before = torch.zeros_like(before).scatter_add(0, query, (~(own < least[query])).long())
    return before - own_before + 1


def recalls(ranks_of_images: Tensor, ranks_of_texts: Tensor) -> dict[str, float]:
    """Recall at each of RANKS, in both directions.

    Args:
        ranks_of_images: (T,) at which place each text finds its image.
        ranks_of_texts: (I,) at which place each image finds the best of its texts.
    """
    return {
        f"{direction}_r{most}": float((ranks <= most).float().mean())
        for direction, ranks in (("ir", ranks_of_images), ("tr", ranks_of_texts))
        for most in RANKS
    }


def chance_recalls(own: Tensor) -> dict[str, float]:
    """What `recalls` gives in the mean where all are ranked at random.

    A text finds its one image among I, so at K places with K / I. An image finds one of its M texts among T unless all
    places before it, or K of them, hold texts of others.

    Args:
        own: (I,) long, how many texts each image has; an image without texts counts for nothing.
    """
    own = own[own > 0].double()
    images, texts = len(own), own.sum()
    values = {f"ir_r{most}": min(1.0, most / images) for most in RANKS}
    for most in RANKS:
        places = torch.arange(min(most, int(texts)), dtype=torch.double)
        missed = ((texts - own[:, None] - places).clamp(min=0) / (texts - places)).prod(dim=1)
        values[f"tr_r{most}"] = float((1 - missed).mean())
    return values


def median_ranks(ranks_of_images: Tensor, ranks_of_texts: Tensor) -> dict[str, float]:
    """The median rank in both directions.

    Args:
        ranks_of_images: (T,) at which place each text finds its image.
        ranks_of_texts: (I,) at which place each image finds the best of its texts.
    """
    return {
        f"{direction}_median_rank": float(np.median(ranks.numpy()))
        for direction, ranks in (("ir", ranks_of_images), ("tr", ranks_of_texts))
    }


def recalls_of_all_scores(scores: Sequence[tuple[int, Tensor]], rows: Sequence[int]) -> dict[str, float]:
    """Recall at each of RANKS, in both directions, from the scores of all pairs.

    Args:
        scores: for each of T texts the row of its image, and its scores (I,) with every image.
        rows: the row of each of the I images.
    """
    table = torch.stack([one for _, one in scores])  # (T, I)
    text, image = (torch.tensor([own for own, _ in scores])[:, None] == torch.tensor(rows)).nonzero(as_tuple=True)
    return recalls(ranks_of_best(table, text, image), ranks_of_best(table.T, image, text))
