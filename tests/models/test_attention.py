"""The one attention: against PyTorch's own module, against full attention under a band, and with a cache."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import renaissance
from renaissance.models.layers.attention import Attention, KeyValueCache, attend, band_mask
from tests.models.references import randomise
from tests.models.test_architectures import texts

SIZE, HEADS = 24, 3


def make(joint: bool) -> tuple[Attention, nn.MultiheadAttention]:
    """Ours, and PyTorch's with the same weights."""
    ours = Attention(SIZE, HEADS, joint)
    randomise(ours)
    theirs = nn.MultiheadAttention(SIZE, HEADS, batch_first=True)
    maps = [ours.projection] if joint else [ours.query, ours.key_value]
    theirs.in_proj_weight.data = torch.cat([linear.weight for linear in maps]).detach()
    theirs.in_proj_bias.data = torch.cat([linear.bias for linear in maps]).detach()
    theirs.out_proj.load_state_dict(ours.output.state_dict())
    return ours, theirs


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("case", ["itself", "causal", "context", "padded"])
@torch.no_grad()
def test_it_equals_pytorchs_own(joint: bool, case: str) -> None:
    ours, theirs = make(joint)
    hidden, other = torch.randn(2, 7, SIZE), torch.randn(2, 5, SIZE)
    there = torch.arange(5) < torch.tensor([[5], [2]])
    found: Tensor
    if case == "itself":
        found, expected = ours(hidden), theirs(hidden, hidden, hidden)[0]
    elif case == "causal":
        causal = nn.Transformer.generate_square_subsequent_mask(7)
        found, expected = ours(hidden, causal=True), theirs(hidden, hidden, hidden, attn_mask=causal)[0]
    elif case == "context":
        found, expected = ours(hidden, other), theirs(hidden, other, other)[0]
    else:
        found = ours(hidden, other, there[:, None, None])
        expected = theirs(hidden, other, other, key_padding_mask=~there)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cuts", [[1, 1, 1, 1], [2, 2], [1, 3], [3, 1]])
@torch.no_grad()
def test_with_a_cache_positions_may_come_piece_by_piece(cuts: list[int]) -> None:
    ours, _ = make(joint=False)
    hidden, other = torch.randn(2, 4, SIZE), torch.randn(2, 5, SIZE)
    own, context = KeyValueCache(), KeyValueCache()
    pieces, crossed = [], []
    for piece in hidden.split(cuts, dim=1):
        pieces.append(ours(piece, causal=True, cache=own))
        crossed.append(ours(piece, other, cache=context))
        other = torch.full_like(other, torch.nan)  # read once: after that the cache knows it
    torch.testing.assert_close(torch.cat(pieces, dim=1), ours(hidden, causal=True))
    assert torch.cat(crossed, dim=1).isfinite().all()
    key = own.keys_values[0] if own.keys_values else torch.empty(0)
    own.select(torch.tensor([1, 1, 0]))
    assert own.keys_values is not None
    assert torch.equal(own.keys_values[0], key[[1, 1, 0]])


def test_no_other_file_has_attention_of_its_own() -> None:
    package = Path(renaissance.__file__).parent
    found = [
        path.name
        for path in package.rglob("*.py")
        if re.search(r"dot_product|softmax\(.*@|MultiheadAttention", path.read_text())
    ]
    assert found == ["attention.py"]


@pytest.mark.parametrize("reach", [1, 3, 64, 70])
@pytest.mark.parametrize("lengths", [(1,), (5, 3), (128, 64), (263, 154, 1), (129, 128)])
def test_local_attention_equals_full_attention_in_a_band(reach: int, lengths: tuple[int, ...]) -> None:
    tokens = texts(*lengths)
    length = tokens.ids.shape[1]
    heads = torch.randn(3, len(lengths), length, 2, 8, requires_grad=True)
    query, key, value = (part.transpose(1, 2) for part in heads)
    local = attend(query, key, value, band_mask(tokens.mask, reach))
    places = torch.arange(length)
    distance = (places[:, None] - places).abs()
    seen = (distance <= reach) & tokens.mask[:, None, :] | (distance == 0)
    scores = (query @ key.transpose(2, 3) / 8**0.5).masked_fill(~seen[:, None], -torch.inf)
    naive = (scores.softmax(-1) @ value).transpose(1, 2)
    torch.testing.assert_close(local, naive, rtol=1e-4, atol=1e-5)
    ours, theirs = (torch.autograd.grad(found.square().sum(), heads)[0] for found in (local, naive))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_full_attention_leaves_out_padding() -> None:
    tokens = texts(9, 4)
    heads = torch.randn(3, 2, 2, 9, 8)
    found = attend(heads[0], heads[1], heads[2], tokens.mask[:, None, None])
    short = heads[:, 1:, :, :4]
    alone = attend(short[0], short[1], short[2], torch.ones(1, 1, 1, 4, dtype=torch.bool))
    torch.testing.assert_close(found[1:, :4], alone)
