"""Mixup, against the same thing written out: embeddings, masks, patches and targets by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.streams import stream
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.fusion.mixing import Mixing
from renaissance.models.layers.heads import mean_over
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from tests.models.conftest import VOCABULARY

MIXING = Mixing(0.7, torch.tensor([1, 2, 0]))
LABELS = torch.tensor([0, 1, 1])
TARGETS = {task: {"target": LABELS} for task in ("imdb", "cifar10")}


def make(settings, task, *, image=False, text=False):
    model = build_model(settings, vocab_size=VOCABULARY, pad_id=0, image=image, text=text).eval()
    declaration = declaration_of(task)
    head = load_behaviour(declaration)(TaskContext(declaration, settings, model, None, ["no", "yes"])).eval()
    return model, head


def soft_loss(logits):
    one_hot = F.one_hot(LABELS, 2).float()
    return F.cross_entropy(logits, 0.7 * one_hot + 0.3 * one_hot[[1, 2, 0]])


@pytest.mark.parametrize("encoder", ["google/electra-small-discriminator", "roberta-base"])
def test_texts_are_mixed_as_word_embeddings(tiny, tokens, encoder):
    model, task = make(tiny(text_encoder=encoder), "imdb", text=True)
    outcome = task(Step(model, Batch(torch.arange(3), tokens=tokens, collated=TARGETS), None, MIXING))
    words = model.text_encoder.encoder.get_input_embeddings().weight[tokens.ids]
    mixed = 0.7 * words + 0.3 * words[[1, 2, 0]]
    mask = torch.arange(7) < torch.tensor([7, 4, 7])[:, None]  # of 7 and 4, of 4 and 1, of 1 and 7 tokens
    first = model.text_encoder.first_position
    positions = {"position_ids": (torch.arange(7) + first) * mask + (first - 1) * ~mask} if first else {}
    hidden = model.text_encoder.encoder(inputs_embeds=mixed, attention_mask=mask, **positions).last_hidden_state
    logits = task.head(mean_over(hidden, mask))
    assert torch.allclose(outcome.loss, soft_loss(logits), atol=1e-6)
    right = (logits.argmax(-1) == LABELS).float(), (logits.argmax(-1) == LABELS[[1, 2, 0]]).float()
    assert torch.allclose(outcome.values["accuracy"], 0.7 * right[0] + 0.3 * right[1])
    unmixed = task(Step(model, Batch(torch.arange(3), tokens=tokens, collated=TARGETS), None))
    assert not torch.allclose(outcome.loss, unmixed.loss), "no hook is left behind"


def test_images_are_mixed_as_patch_embeddings(tiny, pixels):
    model, task = make(tiny(), "cifar10", image=True)
    batch = Batch(torch.arange(3), pixels=pixels, collated=TARGETS)
    seen = []
    embed = model.image_encoder.encoder.embeddings.patch_embeddings
    hook = embed.register_forward_hook(lambda module, inputs, output: seen.append(output))
    outcome = task(Step(model, batch, lambda batch: batch.pixels, MIXING))
    hook.remove()
    patches = embed(pixels)
    assert torch.allclose(seen[0], 0.7 * patches + 0.3 * patches[[1, 2, 0]], atol=1e-5)
    mixed = model.encode_image(0.7 * pixels + 0.3 * pixels[[1, 2, 0]])
    assert torch.allclose(outcome.loss, soft_loss(task.head(model.fuse(None, mixed).pooled)), atol=1e-6)


def test_the_built_in_transformer_mixes_words(tiny):
    model, _ = make(tiny(text_encoder="transformer"), "imdb", text=True)
    ids = torch.randint(5, VOCABULARY, (2, 6))
    tokens = Tokens(ids, ids > 0, torch.zeros_like(ids))
    swapped = Mixing(0.0, torch.tensor([1, 0])).encode_text(model, tokens).hidden
    torch.testing.assert_close(swapped, model.encode_text(tokens.with_ids(ids.flip(0))).hidden)


@pytest.mark.parametrize("encoder", ["google/electra-small-discriminator", "facebook/deit-tiny-patch16-224"])
def test_one_towers_mix_words_too(tiny, encoder):
    # Where nothing depends on padding: two texts of one length, and weight 1 of the partner.
    model, _ = make(tiny(model_type="one-tower", encoder=encoder), "imdb", text=True, image=True)
    ids = torch.randint(5, VOCABULARY, (2, 6))
    tokens = Tokens(ids, ids > 0, torch.zeros_like(ids))
    swapped = Mixing(0.0, torch.tensor([1, 0])).encode_text(model, tokens).hidden
    assert torch.allclose(swapped, model.encode_text(tokens).hidden[[1, 0]], atol=1e-6)
    half = Mixing(0.5, torch.tensor([1, 0])).encode_text(model, tokens).hidden
    assert torch.allclose(half[0], half[1], atol=1e-6)


def test_the_weight_is_drawn_from_the_beta_distribution():
    weights = [Mixing.draw(0.4, 4, stream(3, batch, 0, "mixing")).weight for batch in range(4000)]
    assert np.mean(weights) == pytest.approx(0.5, abs=0.02)
    assert np.var(weights) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.01)
    partners = {tuple(Mixing.draw(0.4, 3, stream(3, batch, 0, "mixing")).partner.tolist()) for batch in range(200)}
    assert len(partners) == 6


@pytest.mark.parametrize("task", ["mlm", "itm"])
def test_tasks_without_classes_refuse(tiny, task):
    with pytest.raises(UserError, match=rf"mixing_alpha=0.2 mixes .* {task} cannot be mixed"):
        tiny(mixing_alpha=0.2, loss_names={"mlm": 0, "itm": 0, "imdb": 1, task: 1})


def test_words_that_are_no_plain_embeddings_are_refused(tiny, tokens):
    model, task = make(tiny(text_encoder="ibert"), "imdb", text=True)
    with pytest.raises(UserError, match=r"words of a IBertModel cannot be mixed.*QuantEmbedding"):
        task(Step(model, Batch(torch.arange(3), tokens=tokens, collated=TARGETS), None, MIXING))
