"""Text encoders that are any architecture of transformers', built from scratch with its own flags."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import CONFIG_MAPPING, LongformerConfig, LongformerModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.two_tower import TwoTower
from renaissance.models.weights import load_weights
from renaissance.settings import Settings
from renaissance.settings.architectures import BUILT_IN, architecture_names
from tests.models.references import randomise

Make = Callable[..., Settings]
SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
LONGFORMER: dict[str, Any] = {**SMALL, "intermediate_size": 64, "attention_window": 8}


def build(settings: Settings, **options: Any) -> TwoTower:
    model = build_model(settings, vocab_size=60, pad_id=0, image=False, text=True, **options)
    assert isinstance(model, TwoTower)
    return model


def config_of(model: TwoTower) -> Any:
    assert model.text_encoder is not None
    return model.text_encoder.encoder.config


def texts(*lengths: int) -> Tokens:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(5, 60, mask.shape) * mask
    return Tokens(ids, mask, torch.zeros_like(ids))


def test_names_are_those_that_transformers_knows() -> None:
    assert architecture_names() == {*CONFIG_MAPPING.keys(), BUILT_IN} - {"renaissance_transformer"}


def test_a_near_name_is_suggested(make_settings: Make) -> None:
    with pytest.raises(UserError, match=r"Did you mean the architecture 'longformer'\?"):
        build(make_settings(text_encoder="longforme"))


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("longformer", LONGFORMER),
        ("bert", SMALL),
        ("roberta", SMALL),
        ("big_bird", SMALL),
        ("distilbert", {"dim": 32, "n_layers": 2, "n_heads": 4}),
        ("funnel", {"d_model": 32, "block_sizes": [1, 1], "n_head": 4, "d_head": 8, "d_inner": 64}),
        ("modernbert", {**SMALL, "intermediate_size": 64}),
        ("deberta-v2", SMALL),
    ],
)
def test_architecture_takes_its_flags_and_long_texts(name: str, flags: dict[str, Any], make_settings: Make) -> None:
    model = build(make_settings(text_encoder=name, text_encoder_config=flags, max_text_len=600))
    config = config_of(model)
    assert config.model_type == name
    assert model.text_size == 32
    spread = {"attention_window": [8, 8]}  # its class writes out the window of each layer
    assert {flag: getattr(config, flag) for flag in flags} == {**flags, **{f: spread[f] for f in flags if f in spread}}
    assert config.vocab_size == 60
    assert config.pad_token_id == 0
    assert model.encode_text(texts(600)).hidden.shape == (1, 600, 32)


@pytest.mark.parametrize("lengths", [(1,), (7, 3), (8, 8), (19, 4, 11)])
@torch.no_grad()
def test_longformer_equals_transformers_for_any_length(lengths: tuple[int, ...], make_settings: Make) -> None:
    """Its own class, with the same weights, on texts that are padded to whole windows by hand."""
    settings = make_settings(text_encoder="longformer", text_encoder_config=LONGFORMER)
    model = build(settings).eval()
    randomise(model)
    config = LongformerConfig(
        **LONGFORMER, vocab_size=60, pad_token_id=0, max_position_embeddings=512, initializer_range=0.02
    )
    theirs = LongformerModel(config, add_pooling_layer=False).eval()
    assert model.text_encoder is not None
    theirs.load_state_dict(model.text_encoder.encoder.state_dict())
    tokens = texts(*lengths)
    ours = model.encode_text(tokens).hidden
    padding = -tokens.ids.shape[1] % 8
    ids, mask = (torch.nn.functional.pad(value.long(), (0, padding)) for value in (tokens.ids, tokens.mask))
    positions = mask.cumsum(1) * mask
    expected = theirs(input_ids=ids, attention_mask=mask, position_ids=positions).last_hidden_state
    expected = expected[:, : tokens.ids.shape[1]]
    torch.testing.assert_close(ours[tokens.mask], expected[tokens.mask], rtol=1e-4, atol=1e-5)


def test_flags_override_a_published_encoder(make_settings: Make) -> None:
    flags = {"num_hidden_layers": 1, "hidden_act": "relu"}
    settings = make_settings(
        text_encoder="prajjwal1/bert-tiny", random_init_text_encoder=True, text_encoder_config=flags
    )
    config = config_of(build(settings))
    assert (config.num_hidden_layers, config.hidden_act, config.hidden_size) == (1, "relu", 128)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"text_encoder_config": {"attention_windo": 8}}, "no flag 'attention_windo'; did you mean attention_window?"),
        ({"text_encoder_config": {"hidden_size": "wide"}}, "'hidden_size' expected int, got str"),
        ({"text_encoder_config": {"vocab_size": 9}}, "vocab_size follows from the tokenizer"),
        ({"text_encoder_config": {**LONGFORMER, "attention_window": 7}}, "has to be an even value"),
        (
            {"text_encoder_config": {"hidden_size": 8}, "text_encoder_manual_configuration": True},
            "hidden_size and text_encoder_hidden_size name the same thing",
        ),
        (
            {"text_encoder_config": {"intermediate_size": 8}, "text_encoder_manual_configuration": True},
            "intermediate_size and text_encoder_mlp_ratio name the same thing",
        ),
        ({"text_encoder": "llama"}, "is a llama model, not a text encoder"),
        ({"text_encoder": "clip_text_model"}, "as in a decoder"),
        ({"text_encoder": "vit"}, "not a text encoder"),
        ({"text_encoder": "bart"}, "not a text encoder"),
        ({"text_encoder": "perceiver"}, "not a text encoder"),
    ],
)
def test_what_cannot_be_is_said(overrides: dict[str, Any], words: str, make_settings: Make) -> None:
    with pytest.raises(UserError) as caught:
        build(make_settings(**{"text_encoder": "longformer", **overrides}))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"text_encoder_config": {"hidden_size": 8}}, "text_encoder_config needs random_init_text_encoder=True"),
        ({"text_encoder": BUILT_IN, "text_encoder_config": {"hidden_size": 8}}, "text_encoder_hidden_size"),
        ({"text_encoder_window_size": 8}, "text_encoder_window_size=8 is transformer's"),
        ({"text_encoder": BUILT_IN, "text_encoder_window_size": 1}, "must be a whole number, at least 2, or None"),
        ({"text_encoder_config": 3}, "text_encoder_config=3: must be flags by name"),
    ],
)
def test_settings_that_do_not_go_together(overrides: dict[str, Any], words: str, make_settings: Make) -> None:
    with pytest.raises(UserError) as caught:
        make_settings(**overrides)
    assert words in str(caught.value)


def test_features_that_depend_on_padding_are_told(make_settings: Make) -> None:
    flags = {"hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 64}
    assert "does not leave out padding" in build(make_settings(text_encoder="fnet", text_encoder_config=flags)).notes[0]
    assert build(make_settings(text_encoder="longformer", text_encoder_config=LONGFORMER)).notes == []


@torch.no_grad()
def test_rebuilt_from_its_configuration(make_settings: Make) -> None:
    settings = make_settings(text_encoder="longformer", text_encoder_config=LONGFORMER)
    model = build(settings).eval()
    configs = json.loads(json.dumps(model.encoder_configs()))
    again = build(settings, encoder_configs=configs).eval()
    load_weights(again, model.state_dict())
    tokens = texts(11, 4)
    assert torch.equal(model.encode_text(tokens).hidden, again.encode_text(tokens).hidden)
