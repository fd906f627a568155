"""What tasks put on top of the encoder: the masked-word head, the pair head, the classifier.

In: hidden states (B, L, D) or pooled vectors. Out: logits. All of them act on the width that the encoder hands out,
whatever the towers' own widths are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from renaissance.models.layers.initialise import initialise


class MlmHead(nn.Module):
    """Which word stands at a masked position: BERT's transform, norm and decoder, over the fuser's width.

    The decoder is not tied to the text tower's word embeddings: their width is the tower's (128 in ELECTRA-small),
    not the fuser's, and a frozen tower would freeze the head.

    Args:
        size: D, width of the hidden states.
        vocab_size: V, words to tell apart.
    """

    def __init__(self, size: int, vocab_size: int) -> None:
        super().__init__()
        self.transform = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size, eps=1e-12)
        self.decoder = nn.Linear(size, vocab_size)
        initialise(self)

    def forward(self, hidden: Tensor) -> Tensor:
        """(N, D), the hidden states of the N masked positions alone, to (N, V): logits are computed nowhere else."""
        return self.decoder(self.norm(F.gelu(self.transform(hidden))))


class PairHead(nn.Module):
    """Whether a text and an image belong together: one linear map of the pooled pair.

    Args:
        size: width of the pooled vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.output = nn.Linear(size, 2)
        initialise(self)

    def forward(self, pooled: Tensor) -> Tensor:
        """(B, `size`) to (B, 2) logits: 0 they do not, 1 they do."""
        return self.output(pooled)


class Classifier(nn.Module):
    """One of `num_classes`: the two-layer head of METER's and ViLT's downstream tasks.

    It drops nothing: pooled vectors of an encoder from scratch have much in common and differ by a tenth of that,
    so the noise of dropping what is common would hide the differences for hundreds of steps.

    Args:
        size: width of what comes in.
        num_classes: classes.
        inner_size: width between the two layers; None for twice `size`.
    """

    def __init__(self, size: int, num_classes: int, inner_size: int | None = None) -> None:
        super().__init__()
        inner_size = 2 * size if inner_size is None else inner_size
        self.inner = nn.Linear(size, inner_size)
        self.norm = nn.LayerNorm(inner_size)
        self.output = nn.Linear(inner_size, num_classes)
        initialise(self)

    def forward(self, pooled: Tensor) -> Tensor:
        """(..., `size`) to (..., `num_classes`) logits."""
        return self.output(F.gelu(self.norm(self.inner(pooled))))


def mean_over(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean of the positions in the mask: (B, N, D), (B, N) bool to (B, D)."""
    weights = mask.to(hidden.dtype)[..., None]
    return torch.sum(hidden * weights, dim=1) / weights.sum(dim=1).clamp(min=1)


def max_over(hidden: Tensor, mask: Tensor) -> Tensor:
    """The greatest of the positions in the mask, for each feature: (B, N, D), (B, N) bool to (B, D)."""
    return hidden.masked_fill(~mask[..., None], -torch.inf).amax(dim=1)


def first_of(hidden: Tensor, mask: Tensor) -> Tensor:
    """The first position, at which texts have their class token: (B, N, D) to (B, D)."""
    return hidden[:, 0]


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cls": first_of, "mean": mean_over, "max": max_over}
