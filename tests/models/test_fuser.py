"""The cross-modal layers against transformers' LXMERT layers with the same weights."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LxmertConfig
from transformers.models.lxmert.modeling_lxmert import LxmertXLayer

from renaissance.models.fusion.fuser import CrossModalEncoder, CrossModalLayer, FeedForward, ResidualAttention
from renaissance.models.interface import ALL_OUTPUTS, Output
from tests.models.references import randomise

SIZE, HEADS = 32, 4
SUBSETS = [frozenset(subset) for subset in chain.from_iterable(combinations(sorted(ALL_OUTPUTS), n) for n in (1, 2, 3))]


def copy_attention(ours: ResidualAttention, attention: Any, output: Any) -> None:
    for kind in ("weight", "bias"):
        parts = [getattr(getattr(attention, name), kind) for name in ("query", "key", "value")]
        getattr(ours.projection, kind).copy_(torch.cat(parts))
    ours.output.load_state_dict(output.dense.state_dict())
    ours.norm.load_state_dict(output.LayerNorm.state_dict())


def copy_feed_forward(ours: FeedForward, inner: Any, outer: Any) -> None:
    ours.inner.load_state_dict(inner.dense.state_dict())
    ours.outer.load_state_dict(outer.dense.state_dict())
    ours.norm.load_state_dict(outer.LayerNorm.state_dict())


@torch.no_grad()
def layer_like(theirs: LxmertXLayer) -> CrossModalLayer:
    ours = CrossModalLayer(SIZE, HEADS, 3, 0.1)
    copy_attention(ours.cross, theirs.visual_attention.att, theirs.visual_attention.output)
    copy_attention(ours.text_self, theirs.lang_self_att.self, theirs.lang_self_att.output)
    copy_attention(ours.image_self, theirs.visn_self_att.self, theirs.visn_self_att.output)
    copy_feed_forward(ours.text_feed_forward, theirs.lang_inter, theirs.lang_output)
    copy_feed_forward(ours.image_feed_forward, theirs.visn_inter, theirs.visn_output)
    return ours.eval()


def lxmert_layer() -> LxmertXLayer:
    theirs = LxmertXLayer(LxmertConfig(hidden_size=SIZE, num_attention_heads=HEADS, intermediate_size=3 * SIZE))
    randomise(theirs)
    return theirs.eval()


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Text (3, 6, D), image (3, 5, D) and their masks."""
    text_mask = torch.arange(6) < torch.tensor([6, 3, 1])[:, None]
    image_mask = torch.arange(5) < torch.tensor([5, 2, 4])[:, None]
    return torch.randn(3, 6, SIZE), torch.randn(3, 5, SIZE), text_mask, image_mask


@pytest.mark.parametrize("masked", [True, False])
@torch.no_grad()
def test_layer_equals_lxmert(masked: bool) -> None:
    theirs = lxmert_layer()
    text, image, text_mask, image_mask = inputs()
    keys = [mask[:, None, None] if masked else None for mask in (text_mask, image_mask)]
    added = [None if key is None else (~key).float() * torch.finfo(torch.float32).min for key in keys]
    expected = theirs(text, added[0], image, added[1])
    found = layer_like(theirs)(text, image, *keys)
    for ours, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-5)


def make_encoder(layers: int = 3) -> CrossModalEncoder:
    encoder = CrossModalEncoder(SIZE, layers, HEADS, 2, 0.1)
    randomise(encoder)
    return encoder.eval()


@torch.no_grad()
def test_encoder_stacks_layers_and_pools_class_positions() -> None:
    encoder = make_encoder(2)
    text, image, *_ = inputs()
    fused = encoder(text, image)
    for layer in encoder.layers:
        text, image = layer(text, image, None, None)
    assert torch.equal(fused.text, text)
    assert torch.equal(fused.image, image)
    text_class = torch.tanh(F.linear(text[:, 0], encoder.text_pooler.weight, encoder.text_pooler.bias))
    image_class = torch.tanh(F.linear(image[:, 0], encoder.image_pooler.weight, encoder.image_pooler.bias))
    torch.testing.assert_close(fused.pooled, torch.cat((text_class, image_class), dim=1))


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("outputs", SUBSETS, ids=lambda outputs: "+".join(sorted(outputs)))
def test_what_is_left_out_changes_nothing(outputs: frozenset[Output], layers: int) -> None:
    """The same values, and the same gradients, as when everything is computed."""
    encoder = make_encoder(layers)
    text, image, text_mask, image_mask = inputs()
    results, gradients = [], []
    for wanted in (outputs, ALL_OUTPUTS):
        encoder.zero_grad()
        fused = encoder(text, image, text_mask, image_mask, wanted)
        results.append({name: getattr(fused, name) for name in outputs})
        assert all((getattr(fused, name) is not None) == (name in wanted) for name in ALL_OUTPUTS)
        sum(value.square().sum() for value in results[-1].values()).backward()
        gradients.append([torch.zeros_like(p) if p.grad is None else p.grad for p in encoder.parameters()])
    for name in outputs:
        torch.testing.assert_close(results[0][name], results[1][name], rtol=1e-4, atol=1e-5)
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_padding_does_not_matter() -> None:
    encoder = make_encoder()
    text, image, text_mask, image_mask = inputs()
    fused = encoder(text, image, text_mask, image_mask)
    alone = encoder(text[1:2, :3], image[1:2, :2])
    torch.testing.assert_close(fused.text[1:2, :3], alone.text, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.image[1:2, :2], alone.image, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.pooled[1:2], alone.pooled, rtol=1e-4, atol=1e-5)


def test_dropout_only_in_training() -> None:
    encoder = make_encoder()
    text, image, *_ = inputs()
    assert torch.equal(encoder(text, image).pooled, encoder(text, image).pooled)
    encoder.train()
    assert not torch.equal(encoder(text, image).pooled, encoder(text, image).pooled)
