"""An encoder's lowest layers stay as they are, cost no backward pass, and do not drop out."""

from __future__ import annotations

import pytest
import torch
from transformers import BeitConfig, BeitModel, CLIPVisionConfig, CLIPVisionModel, ConvNextConfig, ConvNextModel

from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.freezing import lowest_modules
from renaissance.models.towers.joint import find_layers
from tests.models.conftest import VOCABULARY


def build(settings, **sides):
    return build_model(settings, vocab_size=VOCABULARY, pad_id=0, **{"image": True, "text": True, **sides})


@pytest.mark.parametrize("tower", ["text_encoder", "image_encoder"])
def test_the_lowest_layers_of_a_tower_are_frozen(tiny, tokens, pixels, tower):
    model = build(tiny(**{f"freeze_{tower}_layers": 1}))
    encoder = getattr(model, tower).encoder
    layers = find_layers(encoder)
    seen = []
    layers[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    model.train()
    features = model.encode_text(tokens) if tower == "text_encoder" else model.encode_image(pixels)
    hidden = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    assert not hidden.requires_grad, "so nothing is kept for a backward pass below"
    assert features.hidden.requires_grad
    features.hidden.sum().backward()
    with_gradients = {name for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert with_gradients == trained
    frozen = {id(parameter) for module in (encoder.embeddings, layers[0]) for parameter in module.parameters()}
    assert {id(parameter) for parameter in layers[1].parameters()}.isdisjoint(frozen)
    assert all(
        parameter.requires_grad == (id(parameter) not in frozen) for parameter in encoder.embeddings.parameters()
    )
    assert not any(parameter.requires_grad for parameter in layers[0].parameters())
    assert all(parameter.requires_grad for parameter in layers[1].parameters())
    assert [layers[0].training, layers[1].training, encoder.embeddings.training] == [False, True, False]
    model.eval()
    assert not layers[1].training


def test_the_lowest_layers_of_the_built_in_transformer_are_frozen_with_all_below_them(tiny, tokens):
    model = build(tiny(text_encoder="transformer", freeze_text_encoder_layers=1), image=False)
    encoder = model.text_encoder.encoder
    trained = {name.partition(".")[0] for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert trained == {"layers", "norm"}
    assert not any(parameter.requires_grad for parameter in encoder.layers[0].parameters())
    assert not model.train().text_encoder.encoder.dropout.training
    model.encode_text(tokens).hidden.sum().backward()
    assert encoder.word_embeddings.weight.grad is None


def test_a_one_towers_own_embeddings_are_frozen_and_the_new_ones_learn(tiny, tokens, pixels):
    settings = tiny(model_type="one-tower", freeze_encoder_layers=1)
    model = build(settings).train()
    model.fuse(model.encode_text(tokens), model.encode_image(pixels)).pooled.sum().backward()
    assert model.image_embeddings.projection.weight.grad is not None
    first, second = find_layers(model.encoder.encoder)
    assert all(parameter.grad is None for parameter in first.parameters())
    assert all(parameter.grad is None for parameter in model.encoder.encoder.embeddings.parameters())
    assert any(parameter.grad is not None for parameter in second.parameters())


def test_what_lies_below_the_first_layer_goes_along():
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 16,
             "image_size": 16, "patch_size": 8}  # fmt: skip
    beit = BeitModel(BeitConfig(**sizes, use_shared_relative_position_bias=True, use_relative_position_bias=False))
    clip = CLIPVisionModel(CLIPVisionConfig(**sizes))
    for encoder in (beit, getattr(clip, "vision_model", clip)):
        for module in lowest_modules(encoder, 1, "freeze_image_encoder_layers"):
            module.requires_grad_(False)
        seen = []
        find_layers(encoder)[0].register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output))
        encoder(torch.randn(1, 3, 16, 16))
        assert not (seen[0][0] if isinstance(seen[0], tuple) else seen[0]).requires_grad


def test_more_layers_than_there_are_is_an_error(tiny):
    with pytest.raises(UserError, match="freeze_text_encoder_layers=3, but this electra encoder has 2 layers"):
        build(tiny(freeze_text_encoder_layers=3))
    convolutions = ConvNextModel(ConvNextConfig(hidden_sizes=[4, 4, 4, 4], depths=[1, 1, 1, 1]))
    with pytest.raises(UserError, match="a convnext model has no single stack"):
        lowest_modules(convolutions, 1, "freeze_image_encoder_layers")
