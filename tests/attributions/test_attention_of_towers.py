"""Attention of two towers of transformers is worked out of each tower's own weights, as transformers hands them out."""

from __future__ import annotations

import copy

import pytest
import torch

import renaissance
from renaissance.attributions import attention
from renaissance.attributions.subject import WHOLE, Subject
from renaissance.errors import UserError
from tests.training.test_clip_model import NAMED, asked_of, folder

__all__ = ["folder"]
TEXT = "a small red circle"


def rolled(tower, **inputs):
    """The rollout (N, N) of what a copy of a tower in eager mode hands out."""
    theirs = copy.deepcopy(tower)
    theirs.set_attn_implementation("eager")
    with torch.no_grad():
        weights = theirs(**inputs, output_attentions=True).attentions
    assert len(weights) == tower.config.num_hidden_layers == 2
    total = torch.eye(weights[0].shape[-1])
    for layer in weights:
        total = (layer[0].mean(0) + torch.eye(len(total))) / 2 @ total
    return total


def test_of_a_whole_clip_or_siglip_each_tower_is_looked_at_alone(run, folder, rows):
    family, path = folder
    trained, _ = run(*NAMED, **asked_of(family, path), max_steps=2, attributions=True, attributions_examples=2)
    assert (trained.attributions / "contrastive.json").is_file()
    model = renaissance.load(trained.best_checkpoint)
    example = {"image": rows("scenes_val")[0]["image"], "text": TEXT}
    found = attention(model, example, "contrastive")
    words, image = model.encoder.text_encoder.encoder, model.encoder.image_encoder.encoder
    batch = Subject(model, "contrastive", example).step([WHOLE]).batch
    ids = batch.tokens.ids
    longest = words.config.max_position_embeddings
    if family == "siglip":  # it reads its padding, and pools at the end of it
        ids = torch.nn.functional.pad(ids, (0, longest - ids.shape[1]), value=model.text.pad_id)
    text = rolled(words, input_ids=ids)[-1]
    patches = [value for line in found.patches["image"] for value in line]
    seen = rolled(image, pixel_values=model.to_pixels(batch))
    assert sum(patches) == pytest.approx(1 if family == "siglip" else 1 - float(seen[0, 0]), abs=1e-5)
    columns = [list(word.columns) for word in Subject(model, "contrastive", example).reading.words]
    assert [word.value for word in found.words] == pytest.approx([float(text[own].sum()) for own in columns])
    if family == "clip":
        assert patches == pytest.approx(seen[0, 1:].tolist(), abs=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_text_towers_rollout_is_that_of_transformers_own_weights(trained, pooling):
    settings = {"text_encoder": "google/electra-small-discriminator", "text_pooling": pooling}
    model = renaissance.load(trained("task_finetune_imdb", **settings))
    tower = model.encoder.text_encoder.encoder
    found = attention(model, {"text": TEXT}, "imdb")
    tokens = Subject(model, "imdb", {"text": TEXT}).step([WHOLE]).batch.tokens
    total = rolled(tower, input_ids=tokens.ids, attention_mask=tokens.mask)
    row = total[0] if pooling == "cls" else total.mean(0)
    columns = [list(word.columns) for word in Subject(model, "imdb", {"text": TEXT}).reading.words]
    assert [word.value for word in found.words] == pytest.approx([float(row[own].sum()) for own in columns], abs=1e-5)
    (second,) = (word.value for word in attention(model, {"text": TEXT}, "imdb", 1).words[1:2])
    assert second == pytest.approx(float(total[columns[1]].mean(0)[columns[1]].sum()), abs=1e-5)


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64}
WINDOWS = {**SMALL, "num_attention_heads": 4, "attention_window": [8, 8]}


@pytest.mark.parametrize(("kind", "flags"), [("fnet", SMALL), ("longformer", WINDOWS)])
def test_a_text_tower_without_attention_over_all_positions_is_refused(trained, kind, flags):
    settings = {"text_encoder": kind, "text_encoder_manual_configuration": False, "text_encoder_config": flags}
    model = renaissance.load(trained("task_finetune_imdb", **settings))
    with pytest.raises(UserError, match=r"text encoder has no attention over all positions to give\. Take occlusion"):
        attention(model, {"text": TEXT})
