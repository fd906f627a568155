"""Attention's weights are those that PyTorch's and transformers' own attention gives, and belong to the right words."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import nn

import renaissance
from renaissance.attributions import attention
from renaissance.attributions.recording import recording, rollout
from renaissance.attributions.subject import WHOLE, Subject
from renaissance.errors import UserError
from renaissance.models.layers.attention import Attention, recorded_attention


def asked(model, rows):
    row = rows("scenes_val")[0]
    return model, {"image": row["image"], "text": row["caption"][0]}


@torch.no_grad()
def test_recorded_weights_are_pytorchs():
    own, reference = Attention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    reference.in_proj_weight.copy_(own.projection.weight)
    reference.in_proj_bias.copy_(own.projection.bias)
    hidden, other = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    there = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])
    plain = own(hidden, other, there[:, None, None])
    with recorded_attention() as records:
        assert torch.equal(own(hidden, other, there[:, None, None]), plain)
        own(hidden, causal=True)
    across = reference(hidden, other, other, key_padding_mask=~there)[1]
    itself = reference(hidden, hidden, hidden, attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1))[1]
    for record, wanted in zip(records, (across, itself), strict=True):
        assert record.module is own
        assert torch.allclose(record.weights, wanted, atol=1e-6)
        assert torch.allclose(record.weights.sum(-1), torch.ones(2, 5))
    own(hidden)
    assert len(records) == 2, "nothing is recorded afterwards"


@torch.no_grad()
def test_a_vision_encoders_rollout_is_that_of_transformers_own_weights(trained, rows):
    model = renaissance.load(trained("task_finetune_cifar10"))
    image = rows("scenes_cifar10_val")[0]["image"]
    found = attention(model, {"image": image})
    tower = model.encoder.image_encoder.encoder
    assert tower.config._attn_implementation == "sdpa", "as it was"
    reference = copy.deepcopy(tower)
    reference.set_attn_implementation("eager")
    pixels = model.to_pixels(Subject(model, "cifar10", {"image": image}).step([WHOLE]).batch)
    weights = reference(pixel_values=pixels, output_attentions=True).attentions
    total = torch.eye(weights[0].shape[-1])
    for layer in weights:
        total = (layer[0].mean(0) + torch.eye(len(total))) / 2 @ total
    assert torch.allclose(total.sum(-1), torch.ones(len(total)), atol=1e-5)
    before = model.encoder.image_positions.before
    assert torch.tensor(found.patches["image"]).flatten().tolist() == pytest.approx(
        total[0, before:].tolist(), abs=1e-5
    )


@torch.no_grad()
def test_a_one_towers_rollout_is_that_of_transformers_own_weights(pretrained, rows):
    model, example = asked(renaissance.load(pretrained("onetower_deit")), rows)
    number = 3
    found = attention(model, example, "itm", number)
    step = Subject(model, "itm", example).step([WHOLE])
    hidden = torch.cat((step.text.hidden, step.image.hidden), dim=1)
    reference = copy.deepcopy(model.encoder.encoder.encoder)
    reference.config._attn_implementation = "eager"
    weights = []
    for name, module in reference.named_modules():
        if name.endswith("attention") and hasattr(module, "scaling"):
            module.register_forward_hook(lambda module, given, made: weights.append(made[1]))
    for layer in reference.layers if hasattr(reference, "layers") else reference.encoder.layer:
        made = layer(hidden)
        hidden = made[0] if isinstance(made, tuple) else made
    assert len(weights) == 2
    total = rollout([one.mean(1) for one in weights])[0]
    columns = Subject(model, "itm", example).reading.words[number].columns
    wanted = total[list(columns)].mean(0)[step.text.hidden.shape[1] + model.encoder.image_positions.before :]
    assert torch.tensor(found.patches["image"]).flatten().tolist() == pytest.approx(wanted.tolist(), abs=1e-5)


@torch.no_grad()
def test_a_word_looks_through_the_last_cross_modal_layer(pretrained, rows):
    """The weights are worked out from the layer's own maps and the features that come into it."""
    model, example = asked(renaissance.load(pretrained()), rows)
    subject = Subject(model, "itm", example)
    step, last, seen = subject.step([WHOLE]), model.encoder.fuser.layers[-1], []
    hook = last.register_forward_pre_hook(lambda module, given: seen.append(given))
    model.encoder.fuse(step.text, step.image)
    hook.remove()
    text, image = seen[0][:2]
    query, key, _ = (
        last.cross.projection(one).chunk(3, dim=-1)[part] for one, part in ((text, 0), (image, 1), (image, 2))
    )
    heads = last.cross.num_heads
    query, key = (one[0].unflatten(-1, (heads, -1)).transpose(0, 1) for one in (query, key))
    weights = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(-1).mean(0)
    assert torch.allclose(weights.sum(-1), torch.ones(len(weights)))
    before = model.encoder.image_positions.before
    for number, word in enumerate(subject.reading.words[:3]):
        found = attention(model, example, "itm", number)
        wanted = weights[list(word.columns)].mean(0)[before:].tolist()
        assert [value for row in found.patches["image"] for value in row] == pytest.approx(wanted, abs=1e-5)
        text = example["text"]
        assert text[found.words[number].start : found.words[number].end] == found.words[number].text
    everything = attention(model, example, "itm")
    assert sum(word.value for word in everything.words) < 1 + 1e-5
    json.dumps(everything.plain(), allow_nan=False)


@torch.no_grad()
def test_a_captions_word_looks_where_the_decoder_wrote_it(trained, rows, monkeypatch):
    model = renaissance.load(trained("task_foundation_captioning"))
    monkeypatch.setattr(model.tasks["caption"], "captions", lambda step: ["two red circles"])
    example = {"image": rows("scenes_val")[0]["image"]}
    subject = Subject(model, "caption", example)
    step = subject.step([WHOLE])
    claim = model.tasks["caption"].claim(step)
    with recording(model.encoder) as recorded:
        claim.by_token(step)
    last = model.encoder.decoder.layers[-1].cross_attention
    (weights,) = recorded.of(last)
    assert torch.allclose(weights.sum(-1), torch.ones(weights.shape[:2]), atol=1e-5)
    found = attention(model, example, word=0)
    assert found.words[0].field == "caption"
    assert found.target[found.words[0].start : found.words[0].end] == found.words[0].text
    flat = [value for row in found.patches["image"] for value in row]
    positions = step.image.hidden.shape[1]
    (start,) = {sum(0 if name == "image" else 1 for name in list(model.encoder.decoder.context)[:1])}
    wanted = weights[0, 0, start : start + positions][-len(flat) :]  # the start token writes the first word
    pieces = len(model.text.encode([found.words[0].text])[0][0]) - 2
    assert pieces > 1 or flat == pytest.approx(wanted.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("configuration", "overrides", "task", "word", "said"),
    [
        ("task_finetune_vqa", {"model_type": "late-fusion"}, "vqa", 0, "meet as one vector each"),
        ("task_clip_scenes", {}, "contrastive", 1, "encoded alone"),
        ("task_finetune_vqa", {}, "vqa", 99, "a number from 0 to"),
    ],
)
def test_where_there_is_none_it_is_said(trained, rows, configuration, overrides, task, word, said):
    model, example = asked(renaissance.load(trained(configuration, **overrides)), rows)
    with pytest.raises(UserError, match=said):
        attention(model, example, task, word)
