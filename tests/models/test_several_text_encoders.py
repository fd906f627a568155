"""Several text encoders on one input: their features joined, each a part of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.two_tower import TwoTower
from renaissance.models.weights import load_weights
from renaissance.settings import Settings
from renaissance.training.optimizers.groups import check_parts, parameter_groups
from tests.models.references import TEXT, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
LONGFORMER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "attention_window": 4}


@pytest.fixture
def several(tiny: Make, save: Save) -> Settings:
    """Our transformer of width 8, a Longformer of width 16, and a pretrained BERT of width 32, which is frozen."""
    return tiny(
        text_encoder=["transformer", "longformer", save(reference("bert", TEXT))],
        text_encoder_config=[None, LONGFORMER, None],
        text_encoder_window_size=[4, None, None],
        text_encoder_manual_configuration=False,
        random_init_text_encoder=False,
        text_encoder_hidden_size=[8, 192, 192],
        text_encoder_num_heads=[2, 4, 4],
        freeze_text_encoder=[False, False, True],
    )


def build(settings: Settings, image: bool = True, **options: Any) -> TwoTower:
    model = build_model(settings, vocab_size=60, pad_id=0, image=image, text=True, **options)
    assert isinstance(model, TwoTower)
    return model


@torch.no_grad()
def test_features_are_those_of_each_side_by_side(several: Settings, tokens: Tokens, pixels: Tensor) -> None:
    model = build(several).eval()
    features = model.encode_text(tokens)
    alone = [model.get_submodule(f"text_encoder_{number}")(tokens).hidden for number in (1, 2, 3)]
    assert [hidden.shape[-1] for hidden in alone] == [8, 16, 32]
    assert torch.equal(features.hidden, torch.cat(alone, dim=-1))
    pooled = model.fuse(features, None).pooled
    assert pooled is not None
    expected = [hidden[1, :4].mean(0) for hidden in alone]
    torch.testing.assert_close(pooled[1], torch.cat(expected))
    assert model.text_size == 56
    fused = model.fuse(features, model.encode_image(pixels))
    assert fused.text is not None
    assert fused.text.shape == (3, 7, 24)


def test_parts_groups_and_freezing_follow(several: Settings) -> None:
    model = build(several)
    check_parts(model, model.parts())
    names = [part.name for part in model.parts()]
    assert names[:3] == ["text_encoder_1", "text_encoder_2", "text_encoder_3"]
    assert [part.name for part in model.parts() if part.frozen] == ["text_encoder_3"]
    groups = {group["part"] for group in parameter_groups(model.parts(), several)}
    assert {"text_encoder_1", "text_encoder_2"} <= groups
    assert "text_encoder_3" not in groups
    model.train()
    assert [model.get_submodule(name).training for name in names[:3]] == [True, True, False]


@torch.no_grad()
def test_rebuilt_from_their_configurations(several: Settings, tokens: Tokens) -> None:
    model = build(several, image=False).eval()
    configs = json.loads(json.dumps(model.encoder_configs()))
    assert [configs[f"text_encoder_{number}"]["hidden_size"] for number in (1, 2, 3)] == [8, 16, 32]
    again = build(several, image=False, encoder_configs=configs).eval()
    load_weights(again, model.state_dict())
    assert torch.equal(model.encode_text(tokens).hidden, again.encode_text(tokens).hidden)


def test_one_value_is_for_all(tiny: Make) -> None:
    model = build(tiny(text_encoder=["transformer", "transformer"], text_encoder_window_size=[4, 6]), image=False)
    configs = model.encoder_configs()
    assert [config["window_size"] for config in configs.values()] == [4, 6]
    assert [config["hidden_size"] for config in configs.values()] == [32, 32]


def test_lists_of_another_length_are_faults(tiny: Make) -> None:
    with pytest.raises(UserError, match="text_encoder_num_layers is a list of 3, and text_encoder names 2"):
        tiny(text_encoder=["transformer", "bert"], text_encoder_num_layers=[1, 2, 3])
    with pytest.raises(UserError, match="freeze_text_encoder is a list of 2, and text_encoder names 1"):
        tiny(freeze_text_encoder=[True, False])
    with pytest.raises(UserError, match="text_encoder_hidden_size=9 is not divisible by text_encoder_num_heads=4"):
        tiny(text_encoder=["transformer", "bert"], text_encoder_hidden_size=[8, 9])
