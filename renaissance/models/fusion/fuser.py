"""The cross-modal encoder: text and image attend to each other, layer by layer.

In: a text (B, L, D) and an image (B, P, D) of one width. Out: both, having seen each other, and one vector a pair.

The layout is LXMERT's (https://arxiv.org/abs/1908.07490, transformers' `LxmertXLayer`): in each layer a
cross-attention whose weights both directions share, then self-attention and feed-forward for each modality, with
the norm after each residual sum. What differs: attention weights have no dropout (see `layers/attention.py`); dropout
on the hidden states, before each residual sum, is what `drop_rate` sets.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from renaissance.models.interface import ALL_OUTPUTS, Fused, Output
from renaissance.models.layers.attention import Attention, Projected
from renaissance.models.layers.dropout import Dropout
from renaissance.models.layers.initialise import initialise

Rows = Literal["all", "first", "none"]


class ResidualAttention(Attention):
    """Attention, residual, norm.

    Args:
        size: D, width.
        num_heads: heads; must divide D.
        drop_rate: dropout of the output, before the residual sum.
    """

    def __init__(self, size: int, num_heads: int, drop_rate: float) -> None:
        super().__init__(size, num_heads)
        self.dropout = Dropout(drop_rate)
        self.norm = nn.LayerNorm(size, eps=1e-12)

    def add(self, hidden: Tensor, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """`hidden` (B, N, D) plus what its queries (B, H, N, D / H) find, normed."""
        return self.norm(hidden + self.dropout(self.attend(query, key, value, mask)))

    def to_itself(self, hidden: Tensor, mask: Tensor | None, rows: Rows) -> Tensor:
        """Self-attention of `hidden` (B, N, D): all rows of it, or only the first (B, 1, D)."""
        if rows == "all":
            query, key, value = self.project(hidden)
            return self.add(hidden, query, key, value, mask)
        first = hidden[:, :1]
        (query,), (key, value) = self.project(first, "q"), self.project(hidden, "kv")
        return self.add(first, query, key, value, mask)


class FeedForward(nn.Module):
    """Two linear maps with GELU between them, residual, norm.

    Args:
        size: D, width.
        inner_size: width between the two.
        drop_rate: dropout before the residual sum.
    """

    def __init__(self, size: int, inner_size: int, drop_rate: float) -> None:
        super().__init__()
        self.inner = nn.Linear(size, inner_size)
        self.outer = nn.Linear(inner_size, size)
        self.dropout = Dropout(drop_rate)
        self.norm = nn.LayerNorm(size, eps=1e-12)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        return self.norm(hidden + self.dropout(self.outer(F.gelu(self.inner(hidden)))))


class CrossModalLayer(nn.Module):
    """One LXMERT layer.

    Args:
        size: D, width of both modalities.
        num_heads: attention heads.
        mlp_ratio: width of the feed-forward, in D.
        drop_rate: dropout of hidden states.
    """

    def __init__(self, size: int, num_heads: int, mlp_ratio: float, drop_rate: float) -> None:
        super().__init__()
        self.cross = ResidualAttention(size, num_heads, drop_rate)
        self.text_self = ResidualAttention(size, num_heads, drop_rate)
        self.image_self = ResidualAttention(size, num_heads, drop_rate)
        self.text_feed_forward = FeedForward(size, int(size * mlp_ratio), drop_rate)
        self.image_feed_forward = FeedForward(size, int(size * mlp_ratio), drop_rate)

    def forward(
        self,
        text: Tensor,
        image: Tensor,
        text_mask: Tensor | None,
        image_mask: Tensor | None,
        text_rows: Rows = "all",
        image_rows: Rows = "all",
    ) -> tuple[Tensor | None, Tensor | None]:
        """
        Args:
            text: (B, L, D).
            image: (B, P, D).
            text_mask: (B, 1, 1, L) bool, True at tokens, or None where no text is padded.
            image_mask: (B, 1, 1, P) bool, True at positions of the image, or None where none is padded.
            text_rows: which rows of the text are wanted: all, the first (B, 1, D), or none (None).
            image_rows: which rows of the image are wanted.
        """
        text_heads = self._cross_heads(text, text_rows, image_rows)
        image_heads = self._cross_heads(image, image_rows, text_rows)
        new_text = new_image = None
        if text_rows != "none":
            new_text = self.cross.add(text, text_heads["q"], image_heads["k"], image_heads["v"], image_mask)
            new_text = self.text_feed_forward(self.text_self.to_itself(new_text, text_mask, text_rows))
        if image_rows != "none":
            new_image = self.cross.add(image, image_heads["q"], text_heads["k"], text_heads["v"], text_mask)
            new_image = self.image_feed_forward(self.image_self.to_itself(new_image, image_mask, image_rows))
        return new_text, new_image

    def _cross_heads(self, hidden: Tensor, rows: Rows, other_rows: Rows) -> dict[str, Tensor]:
        """Queries "q" if this modality goes on, keys "k" and values "v" if the other one does."""
        parts: Projected = "kv" if rows == "none" else "q" if other_rows == "none" else "qkv"
        return dict(zip(parts, self.cross.project(hidden, parts), strict=True))


class CrossModalEncoder(nn.Module):
    """The layers, and a pooler for each modality: tanh of a linear map of its class position.

    Args:
        size: D, width of both modalities.
        num_layers: layers.
        num_heads: attention heads.
        mlp_ratio: width of the feed-forward, in D.
        drop_rate: dropout of hidden states.
    """

    def __init__(self, size: int, num_layers: int, num_heads: int, mlp_ratio: float, drop_rate: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([CrossModalLayer(size, num_heads, mlp_ratio, drop_rate) for _ in range(num_layers)])
        self.text_pooler = nn.Linear(size, size)
        self.image_pooler = nn.Linear(size, size)
        initialise(self)

    def unreached(self, outputs: frozenset[Output]) -> list[nn.Module]:
        """The modules that have no part in `outputs`: those that "pooled" needs, and one stream of the last layer."""
        if "pooled" in outputs:
            return []
        last = self.layers[-1]
        of_streams = {
            "text": [last.text_self, last.text_feed_forward],
            "image": [last.image_self, last.image_feed_forward],
        }
        streams = [module for name, modules in of_streams.items() if name not in outputs for module in modules]
        return [*streams, self.text_pooler, self.image_pooler]

    def forward(
        self,
        text: Tensor,
        image: Tensor,
        text_mask: Tensor | None = None,
        image_mask: Tensor | None = None,
        outputs: frozenset[Output] = ALL_OUTPUTS,
    ) -> Fused:
        """
        Args:
            text: (B, L, D).
            image: (B, P, D).
            text_mask: (B, L) bool, True at tokens; None where nothing is padded, which lets the fastest kernel run.
            image_mask: (B, P) bool, True at positions of the image; None where nothing is padded.
            outputs: what is wanted. The last layer leaves out what they do not need: "text" needs no image stream
                there, "pooled" only the two class positions.

        Returns:
            text (B, L, D), image (B, P, D), pooled (B, 2D).
        """
        text_keys, image_keys = (None if mask is None else mask[:, None, None] for mask in (text_mask, image_mask))
        *earlier, last = self.layers
        for layer in earlier:
            text, image = layer(text, image, text_keys, image_keys)
        new_text, new_image = last(
            text, image, text_keys, image_keys, _rows_needed("text", outputs), _rows_needed("image", outputs)
        )
        pooled = None
        if "pooled" in outputs:
            pooled = torch.cat((self.text_pooler(new_text[:, 0]), self.image_pooler(new_image[:, 0])), dim=-1).tanh()
        return Fused(
            text=new_text if "text" in outputs else None,
            image=new_image if "image" in outputs else None,
            pooled=pooled,
        )


def _rows_needed(modality: Output, outputs: frozenset[Output]) -> Rows:
    if modality in outputs:
        return "all"
    return "first" if "pooled" in outputs else "none"
