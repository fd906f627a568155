"""Modality dropout leaves out whole texts or images, never both, in tasks that have both."""

from __future__ import annotations

import pytest
import torch

from renaissance.data.batches.batch import Batch
from renaissance.data.streams import stream
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.fusion.modality_dropout import ModalityDropout
from renaissance.models.interface import Features
from renaissance.tasks.common.step import Step
from tests.models.conftest import VOCABULARY


def draw(text, image, examples, batch=0):
    return ModalityDropout.draw(text, image, examples, stream(1, batch, 0, "modality dropout"))


def test_the_shares_are_those_asked_for_and_no_example_loses_both():
    drawn = draw(0.2, 0.5, 20_000)
    assert drawn.text.float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert drawn.image.float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert not (drawn.text & drawn.image).any()
    everything = draw(0.5, 0.5, 1000)
    assert torch.equal(everything.text, ~everything.image)
    assert not torch.equal(draw(0.5, 0.5, 100, batch=1).text, draw(0.5, 0.5, 100, batch=2).text)


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
def test_what_is_left_out_has_no_influence_and_the_rest_is_untouched(tiny, tokens, pixels, model_type):
    model = build_model(tiny(model_type=model_type), vocab_size=VOCABULARY, pad_id=0, image=True, text=True).eval()
    batch = Batch(torch.arange(3), tokens=tokens, pixels=pixels)
    dropout = ModalityDropout(torch.tensor([True, False, False]), torch.tensor([False, True, False]))
    step, plain = Step(model, batch, lambda batch: batch.pixels, dropout=dropout), Step(model, batch, None)
    text, image = step.text, step.image
    found = step.fuse(text, image).pooled
    whole = plain.fuse(text, image).pooled
    assert torch.allclose(found[2], whole[2], atol=1e-6)
    assert not torch.allclose(found[0], whole[0], atol=1e-4)
    assert not torch.allclose(found[1], whole[1], atol=1e-4)
    other_text = Features(text.hidden + torch.tensor([1.0, 0.0, 0.0])[:, None, None], text.mask)
    other_image = Features(image.hidden + torch.tensor([0.0, 1.0, 0.0])[:, None, None], image.mask)
    assert torch.allclose(step.fuse(other_text, other_image).pooled, found, atol=1e-6)
    alone = step.fuse(None, image).pooled
    assert torch.equal(alone, plain.fuse(None, image).pooled), "one modality alone is never left out"


def test_several_pairs_of_an_example_lose_what_it_loses(tiny, tokens, pixels):
    model = build_model(tiny(), vocab_size=VOCABULARY, pad_id=0, image=True, text=True).eval()
    batch, example = Batch(torch.arange(3), tokens=tokens, pixels=pixels), torch.tensor([2, 0, 0, 1, 2])
    dropout = ModalityDropout(torch.tensor([True, False, False]), torch.tensor([False, True, False]))
    step = Step(model, batch, lambda batch: batch.pixels, dropout=dropout)
    text, image = step.kept(step.text.select(example), step.image.select(example), example)
    assert text.hidden.flatten(1).any(dim=1).tolist() == [True, False, False, True, True]
    assert image.hidden.flatten(1).any(dim=1).tolist() == [True, True, True, False, True]
    alone = step.fuse(step.text, step.image).pooled
    pairs = step.fuse(step.text.select(example), step.image.select(example), example=example).pooled
    assert torch.allclose(pairs, alone[example], atol=1e-6)


def test_where_it_makes_no_sense_it_is_refused(tiny):
    with pytest.raises(UserError, match=r"text_modality_dropout=0.1 leaves imdb nothing"):
        tiny(text_modality_dropout=0.1, loss_names={"mlm": 0, "itm": 0, "imdb": 1})
    with pytest.raises(UserError, match="are more than 1 together"):
        tiny(text_modality_dropout=0.6, image_modality_dropout=0.6)
