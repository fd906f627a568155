"""Our own text encoder: what its tokens see, and its life as a Hugging Face model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModel

from renaissance.models.towers.text import TextEncoder
from renaissance.models.towers.transformer import TransformerConfig, TransformerEncoder
from renaissance.settings import Settings
from tests.models.references import randomise
from tests.models.test_architectures import build, config_of, texts

Make = Callable[..., Settings]
DIMENSIONS = {
    "text_encoder_hidden_size": 32,
    "text_encoder_num_heads": 4,
    "text_encoder_num_layers": 2,
    "text_encoder_embedding_size": 16,
}


@pytest.mark.parametrize("window", [None, 6, 80])
@torch.no_grad()
def test_text_in_a_batch_equals_the_text_alone(window: int | None) -> None:
    config = TransformerConfig(
        vocab_size=60, hidden_size=32, embedding_size=16, num_hidden_layers=2, intermediate_size=64, window_size=window
    )
    model = TransformerEncoder(config).eval()
    randomise(model)
    tokens = texts(150, 41)
    hidden = model(tokens.ids, tokens.mask).last_hidden_state
    alone = model(tokens.ids[1:, :41], tokens.mask[1:, :41]).last_hidden_state
    torch.testing.assert_close(hidden[1:, :41], alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_window_bounds_what_a_token_sees() -> None:
    """Two layers with 3 tokens on each side: what happens 6 tokens away is seen, 7 tokens away is not."""
    config = TransformerConfig(
        vocab_size=60, hidden_size=32, embedding_size=32, num_hidden_layers=2, intermediate_size=64, window_size=6
    )
    model = TransformerEncoder(config).eval()
    randomise(model)
    tokens = texts(100)
    changed = tokens.ids.clone()
    changed[0, 50] = tokens.ids[0, 50] % 50 + 6
    before, after = (model(ids, tokens.mask).last_hidden_state[0] for ids in (tokens.ids, changed))
    differs = (before - after).abs().amax(-1) > 1e-6
    assert torch.equal(differs, (torch.arange(100) - 50).abs() <= 6)


@torch.no_grad()
def test_layer_equals_pytorch_pre_norm_layer() -> None:
    config = TransformerConfig(vocab_size=60, hidden_size=32, intermediate_size=64, embedding_size=32)
    ours = TransformerEncoder(config).eval().layers[0]
    randomise(ours)
    theirs = torch.nn.TransformerEncoderLayer(32, 4, 64, activation=F.gelu, batch_first=True, norm_first=True).eval()
    names = {
        "self_attn.in_proj_": "projection.",
        "self_attn.out_proj.": "output.",
        "linear1.": "inner.",
        "linear2.": "outer.",
        "norm1.": "attention_norm.",
        "norm2.": "feed_forward_norm.",
    }
    state = ours.state_dict()
    theirs.load_state_dict(
        {their + kind: state[our + kind] for their, our in names.items() for kind in ("weight", "bias")}
    )
    hidden, mask = torch.randn(2, 7, 32), texts(7, 4).mask
    expected = theirs(hidden, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours(hidden, mask[:, None, None])[mask], expected[mask], rtol=1e-4, atol=1e-5)


def test_settings_give_its_dimensions(make_settings: Make) -> None:
    model = build(
        make_settings(text_encoder="transformer", text_encoder_window_size=10, max_text_len=700, **DIMENSIONS)
    )
    config = config_of(model)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (32, 2, 4)
    assert (config.intermediate_size, config.embedding_size, config.window_size) == (128, 16, 10)
    assert (config.vocab_size, config.max_position_embeddings) == (60, 700)


@torch.no_grad()
def test_folder_of_it_is_a_text_encoder(make_settings: Make, tmp_path: Path) -> None:
    model = build(make_settings(text_encoder="transformer", text_encoder_window_size=10, **DIMENSIONS)).eval()
    assert isinstance(model.text_encoder, TextEncoder)
    model.text_encoder.encoder.save_pretrained(tmp_path)
    opened = AutoModel.from_pretrained(tmp_path).eval()
    again = build(make_settings(text_encoder=str(tmp_path))).eval()
    tokens = texts(30, 17)
    expected = model.encode_text(tokens).hidden
    assert torch.equal(opened(tokens.ids, tokens.mask).last_hidden_state, expected)
    assert torch.equal(again.encode_text(tokens).hidden, expected)
