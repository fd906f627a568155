"""Our own text decoder: writes a text token by token, attending to what encoders made of an image and of a prefix.

                                   context (B, C, D) (`interface.py`)
                                                         |
    token ids -> embeddings + positions -> [ self-attention (causal), cross-attention, feed-forward ] -> logits

Layers are pre-norm (Xiong et al., 2020, https://arxiv.org/abs/2002.04745), attention is PyTorch's fused one, and the
output shares its weights with the token embeddings (Press and Wolf, 2017, https://arxiv.org/abs/1608.05859).

Shapes: B texts, T tokens, C context positions, D width, H heads, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from renaissance.models.decoders.interface import Decoder
from renaissance.models.interface import Features
from renaissance.models.layers.attention import Attention, KeyValueCache
from renaissance.models.layers.dropout import Dropout
from renaissance.models.layers.initialise import initialise
from renaissance.settings import EncoderDimensions


@dataclass
class LayerCache:
    """What a layer has computed of B texts.

    Attributes:
        own: of the tokens so far.
        context: of the context, which stays as it is.
    """

    own: KeyValueCache = field(default_factory=KeyValueCache)
    context: KeyValueCache = field(default_factory=KeyValueCache)


@dataclass
class DecoderCache:
    """What a decoder remembers of B texts between two tokens.

    Attributes:
        layers: one cache a layer.
        length: tokens so far.
    """

    layers: list[LayerCache]
    length: int = 0

    def select(self, rows: Tensor) -> None:
        """Go on with the texts `rows` (B',) long, in that order."""
        for layer in self.layers:
            layer.own.select(rows)
            layer.context.select(rows)


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention and feed-forward, each on normed input and added to the residual.

    Args:
        dimensions: width, heads, feed-forward and dropout.
    """

    def __init__(self, dimensions: EncoderDimensions) -> None:
        super().__init__()
        size, inner_size = dimensions.hidden_size, int(dimensions.hidden_size * dimensions.mlp_ratio)
        self.self_norm, self.cross_norm, self.feed_forward_norm = (nn.LayerNorm(size) for _ in range(3))
        self.self_attention = Attention(size, dimensions.num_heads, joint=False)
        self.cross_attention = Attention(size, dimensions.num_heads, joint=False)
        self.inner = nn.Linear(size, inner_size)
        self.outer = nn.Linear(inner_size, size)
        self.dropout = Dropout(dimensions.drop_rate)

    def forward(self, hidden: Tensor, context: Tensor, context_mask: Tensor | None, cache: LayerCache) -> Tensor:
        """
        Args:
            hidden: (B, T, D), the newest T tokens.
            context: (B, C, D); read only when `cache` has no keys of it yet.
            context_mask: (B, 1, 1, C) bool, or None where nothing is padded.
            cache: what earlier calls computed; this call adds to it.
        """
        found = self.self_attention(self.self_norm(hidden), causal=True, cache=cache.own)
        hidden = hidden + self.dropout(found)
        found = self.cross_attention(self.cross_norm(hidden), context, context_mask, cache=cache.context)
        hidden = hidden + self.dropout(found)
        return hidden + self.dropout(self.outer(F.gelu(self.inner(self.feed_forward_norm(hidden)))))


class TextDecoder(Decoder):
    """
    Args:
        dimensions: width, layers, heads, feed-forward and dropout.
        vocab_size: V.
        max_text_len: positions.
        context_sizes: the width of each kind of features that it attends to, by name.
    """

    def __init__(
        self, dimensions: EncoderDimensions, vocab_size: int, max_text_len: int, context_sizes: Mapping[str, int]
    ) -> None:
        size = dimensions.hidden_size
        super().__init__(size, context_sizes)
        self.word_embeddings = nn.Embedding(vocab_size, size)
        self.position_embeddings = nn.Embedding(max_text_len, size)
        self.dropout = Dropout(dimensions.drop_rate)
        self.layers = nn.ModuleList([DecoderLayer(dimensions) for _ in range(dimensions.num_layers)])
        self.norm = nn.LayerNorm(size)
        initialise(self)

    def new_cache(self) -> DecoderCache:
        return DecoderCache([LayerCache() for _ in self.layers])

    def forward(
        self, ids: Tensor, context: Features, cache: DecoderCache | None = None, counted: Tensor | None = None
    ) -> Tensor:
        cache = self.new_cache() if cache is None else cache
        positions = self.position_embeddings.weight[cache.length : cache.length + ids.shape[1]]
        hidden = self.dropout(self.word_embeddings(ids) + positions)
        mask = context.mask[:, None, None]
        for layer, layer_cache in zip(self.layers, cache.layers, strict=True):
            hidden = layer(hidden, context.hidden, mask, layer_cache)
        cache.length += ids.shape[1]
        wanted = hidden if counted is None else hidden[counted]
        return F.linear(self.norm(wanted), self.word_embeddings.weight)

    def kept_when_frozen(self) -> Iterable[nn.Parameter]:
        return self.parameters()
