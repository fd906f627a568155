"""What every text decoder answers, ours and a pretrained one: a text's tokens in, scores of the next ones out.

    image features  -> projection --+
                                    +-> context (B, C, D) --> cross-attention of the decoder
    prefix features -> projection --+

Image and prefix lie side by side in the context, each through its own projection and with its own modality vector.

Shapes: B texts, T tokens, C context positions, D width, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from renaissance.models.interface import Features, VisionLanguageEncoder
from renaissance.models.layers.projection import Projection


class Cache(Protocol):
    """What a decoder remembers of B texts between two tokens."""

    def select(self, rows: Tensor) -> None:
        """Go on with the texts `rows` (B',) long, in that order."""


class Decoder(nn.Module, ABC):
    """A causal decoder with cross-attention, and the projections of what it attends to.

    Args:
        size: D.
        context_sizes: the width of each kind of features that it attends to, by name.
    """

    def __init__(self, size: int, context_sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.context = nn.ModuleDict({name: Projection(width, size) for name, width in context_sizes.items()})
        self._frozen = False

    def read_context(self, features: Mapping[str, Features]) -> Features:
        """The context (B, C, D) that kinds of features, by name, make up side by side."""
        hidden = [self.context[name](features[name].hidden) for name in self.context]
        masks = [features[name].mask for name in self.context]
        return Features(torch.cat(hidden, dim=1), torch.cat(masks, dim=1))

    @abstractmethod
    def new_cache(self) -> Any:
        """The memory of texts without a token, a `Cache`."""

    @abstractmethod
    def forward(self, ids: Tensor, context: Features, cache: Any = None, counted: Tensor | None = None) -> Tensor:
        """Scores of the token behind each token.

        Args:
            ids: (B, T) long, the texts' tokens; with a cache only those that came since the last call. Padding
                stands at the end, where no token sees it.
            context: (B, C, D).
            cache: of the tokens before, from `new_cache`; updated.
            counted: (B, T) bool, the tokens behind which scores are wanted; None for all.

        Returns:
            (B, T, V), or with `counted` (N, V).
        """

    @abstractmethod
    def kept_when_frozen(self) -> Iterable[nn.Parameter]:
        """What stays as it is in a frozen decoder."""

    def freeze(self) -> None:
        """Keep the weights as they are, and evaluation mode from now on."""
        self._frozen = True
        for parameter in self.kept_when_frozen():
            parameter.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        return super().train(mode and not self._frozen)


def decoder_of(model: VisionLanguageEncoder) -> Decoder:
    """The decoder of a model that has one."""
    assert isinstance(model.decoder, Decoder)
    return model.decoder


class DecoderState:
    """A decoder part-way through B texts, as generation drives it (`generation.Continuation`).

    Args:
        decoder: the decoder.
        context: (B, C, D).
    """

    def __init__(self, decoder: Decoder, context: Features) -> None:
        self._decoder = decoder
        self._context = context
        self._cache: Cache = decoder.new_cache()

    def advance(self, ids: Tensor) -> Tensor:
        """Take in further tokens (B, T); scores (B, V) of the one after them."""
        return self._decoder(ids, self._context, self._cache)[:, -1]

    def select(self, rows: Tensor) -> None:
        """Go on with the texts `rows` (B',) long."""
        self._context = self._context.select(rows)
        self._cache.select(rows)
