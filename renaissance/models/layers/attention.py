"""Attention, the one implementation: fuser, text encoder, decoder and one-tower model all come here.

In: hidden states (B, N, D), of which some positions look at others. Out: what they find, (B, N, D). What varies is
handed in: whether positions look at their own sequence or at another one, at what came before them only, at their
neighbours only, past padding, and whether keys and values are kept from call to call.

Everything runs on PyTorch's fused `scaled_dot_product_attention`. Attention weights have no dropout: with it PyTorch
leaves the fused kernel, and on a CPU attention then costs 2.3 times as much.

Sources: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; local attention, Beltagy et al., 2020,
https://arxiv.org/abs/2004.05150.

Shapes: B examples, N queries, M keys, D width, H heads, R blocks of S queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALLEST_BLOCK = 64  # positions of local attention: smaller matrices keep no kernel busy

Projected = Literal["q", "kv", "qkv"]  # queries, keys and values


@dataclass(frozen=True)
class Record:
    """The attention weights of one call.

    Attributes:
        module: whose they are.
        weights: (B, N, M), the mean over the heads: rows of queries, which add up to 1; None of local attention.
    """

    module: nn.Module | None
    weights: Tensor | None


_records: ContextVar[list[Record] | None] = ContextVar("records", default=None)


@contextmanager
def recorded_attention() -> Iterator[list[Record]]:
    """Compute attention weights beside what the fused kernels give, of every call within, in their order.

    The results of the calls are the same: weights are computed a second time, from queries and keys.
    """
    records: list[Record] = []
    token = _records.set(records)
    try:
        yield records
    finally:
        _records.reset(token)


@dataclass
class KeyValueCache:
    """Keys and values that earlier calls have computed.

    Attributes:
        keys_values: (B, H, M, D / H) each; None before the first call.
    """

    keys_values: tuple[Tensor, Tensor] | None = None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take in the keys and values (B, H, N, D / H) of further positions; gives those of all so far."""
        if self.keys_values is not None:
            key, value = (torch.cat(pair, dim=2) for pair in zip(self.keys_values, (key, value), strict=True))
        self.keys_values = key, value
        return key, value

    def select(self, rows: Tensor) -> None:
        """Go on with the examples `rows` (B',) long, in that order."""
        if self.keys_values is not None:
            self.keys_values = self.keys_values[0][rows], self.keys_values[1][rows]


class Attention(nn.Module):
    """Multi-head attention with its linear maps.

    Args:
        size: D.
        num_heads: H; divides D.
        joint: queries, keys and values are rows of one map, `projection`, which computes all three at once where a
            sequence looks at itself; otherwise `query` and `key_value` are two maps.
    """

    def __init__(self, size: int, num_heads: int, joint: bool = True) -> None:
        super().__init__()
        self.size = size
        self.num_heads = num_heads
        self.joint = joint
        if joint:
            self.projection = nn.Linear(size, 3 * size)
        else:
            self.query = nn.Linear(size, size)
            self.key_value = nn.Linear(size, 2 * size)
        self.output = nn.Linear(size, size)

    def project(self, hidden: Tensor, parts: Projected = "qkv") -> tuple[Tensor, ...]:
        """Queries, keys and values, or some of them, each (B, H, N, D / H), of `hidden` (B, N, D)."""
        if self.joint:
            first = "qkv".index(parts) * self.size
            rows = slice(first, first + len(parts) * self.size)
            whole = parts == "qkv"
            weight, bias = self.projection.weight, self.projection.bias
            projected = F.linear(hidden, weight if whole else weight[rows], bias if whole else bias[rows])
            return split_heads(projected, len(parts), self.num_heads)
        queries = split_heads(self.query(hidden), 1, self.num_heads) if "q" in parts else ()
        return (*queries, *(split_heads(self.key_value(hidden), 2, self.num_heads) if "kv" in parts else ()))

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """What queries (B, H, N, D / H) find among keys and values (B, H, M, D / H), mapped to (B, N, D)."""
        return self.output(attend(query, key, value, mask, causal=causal, module=self).flatten(2))

    def forward(
        self,
        hidden: Tensor,
        context: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """What each position finds.

        Args:
            hidden: (B, N, D), the positions that look.
            context: (B, M, D), another sequence that they look at; None for their own.
            mask: True where they may look, in a shape that goes with (B, H, N, M); None for everywhere.
            causal: they look at themselves and at what came before them only.
            cache: of their own sequence: keys and values of the positions before these, to which theirs are added. Of
                a context: its keys and values, computed at the first call and kept.

        Returns:
            (B, N, D).
        """
        if context is None:
            query, key, value = self.project(hidden)
            if cache is not None:
                key, value = cache.extend(key, value)
        else:
            (query,) = self.project(hidden, "q")
            if cache is None or cache.keys_values is None:
                key, value = (cache or KeyValueCache()).extend(*self.project(context, "kv"))
            else:
                key, value = cache.keys_values
        if causal and key.shape[2] > query.shape[2]:  # PyTorch's own causal mask is for as many queries as keys
            mask, causal = later_mask(query.shape[2], key.shape[2], query.device), False
        return self.attend(query, key, value, mask, causal)


def split_heads(projected: Tensor, parts: int, num_heads: int) -> tuple[Tensor, ...]:
    """(B, N, `parts` D) to so many of (B, H, N, D / H)."""
    heads = projected.unflatten(-1, (parts, num_heads, -1))
    return tuple(part.transpose(1, 2) for part in heads.unbind(2))


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    module: nn.Module | None = None,
) -> Tensor:
    """Attention of heads.

    Args:
        query: (B, H, N, D / H).
        key: (B, H, M, D / H).
        value: (B, H, M, D / H).
        mask: bool, True where a query may look, or numbers that are added to the scores, in a shape that goes with
            (B, H, N, M); or `band_mask`'s (B, R, 1, S, 3 S), by which every position looks at its neighbours.
        causal: each query looks at the keys up to its own place; N = M then, and there is no mask.
        scale: of the scores; None for (D / H) ** -0.5.
        module: whose attention it is, for `recorded_attention`.

    Returns:
        (B, N, H, D / H).
    """
    records = _records.get()
    if records is not None:
        local = mask is not None and mask.dim() == 5
        records.append(Record(module, None if local else _weights(query, key, mask, causal, scale)))
    if mask is not None and mask.dim() == 5:
        return _attend_to_neighbours(query, key, value, mask)
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)
    return found.transpose(1, 2)


def _weights(query: Tensor, key: Tensor, mask: Tensor | None, causal: bool, scale: float | None) -> Tensor:
    """The weights (B, N, M) that `scaled_dot_product_attention` gives values, the mean over the heads."""
    scores = query.float() @ key.float().transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1).mean(dim=1)


def _attend_to_neighbours(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Local attention: the sequence is cut into blocks, and a block's queries see the keys of three blocks.

    So the cost grows with the length and not with its square.
    """
    query, key, value = (heads.transpose(1, 2) for heads in (query, key, value))  # (B, N, H, d)
    batch, length = query.shape[:2]
    blocks, size = mask.shape[1], mask.shape[3]
    missing = blocks * size - length
    query = F.pad(query, (0, 0, 0, 0, 0, missing)).unflatten(1, (blocks, size))
    key, value = (_with_neighbours(heads, missing, size) for heads in (key, value))
    query, key, value = (heads.flatten(0, 1).transpose(1, 2) for heads in (query, key, value))  # (B R, H, S or 3 S, d)
    found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask.flatten(0, 1))
    return found.transpose(1, 2).reshape(batch, blocks * size, *found.shape[1::2])[:, :length]


def _with_neighbours(heads: Tensor, missing: int, size: int) -> Tensor:
    """(B, N, H, d) to (B, R, 3 S, H, d): each block of S positions between the one before it and the one behind it."""
    padded = F.pad(heads, (0, 0, 0, 0, size, missing + size)).unflatten(1, (-1, size))
    return torch.cat((padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), dim=2)


def band_mask(mask: Tensor, reach: int) -> Tensor:
    """Which keys the queries of each block see in local attention.

    A query sees itself even at padding: a row that sees nothing would be no number, and its gradient neither.

    Args:
        mask: (B, N) bool, True where there is something.
        reach: positions that a position sees on each side.

    Returns:
        (B, R, 1, S, 3 S) bool: R blocks of S queries, and the keys of the block before, their own, and the next.
    """
    size = max(SMALLEST_BLOCK, -(-reach // 8) * 8)  # a multiple of 8, which GPU kernels want of a mask
    missing = -mask.shape[1] % size
    there = F.pad(mask, (size, missing + size)).unfold(1, 3 * size, size)  # (B, R, 3 S)
    queries = torch.arange(size, 2 * size, device=mask.device)[:, None]
    distance = (torch.arange(3 * size, device=mask.device) - queries).abs()
    return ((there[:, :, None] & (distance <= reach)) | (distance == 0))[:, :, None]


def square_band_mask(mask: Tensor, reach: int) -> Tensor:
    """`band_mask` over all pairs, (B, 1, N, N) bool: what export to ONNX, which has no such blocks, takes for it.

    Args:
        mask: (B, N) bool, True where there is something.
        reach: positions that a position sees on each side.
    """
    place = torch.arange(mask.shape[1], device=mask.device)
    distance = (place - place[:, None]).abs()
    return ((mask[:, None] & (distance <= reach)) | (distance == 0))[:, None]


def later_mask(newest: int, total: int, device: torch.device) -> Tensor | None:
    """(N, M) bool: the newest N of M positions see what came before them; None for a single one, which sees all."""
    if newest == 1:
        return None
    return torch.ones(newest, total, dtype=torch.bool, device=device).tril(total - newest)
