"""Late fusion: what comes out is each tower's own, and the pooled pair is one map over both."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.late_fusion import LateFusion
from renaissance.settings import Settings
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from tests.models.references import randomise

Make = Callable[..., Settings]


def build(settings: Settings, text: bool = True, image: bool = True) -> LateFusion:
    model = build_model(settings, vocab_size=60, pad_id=0, text=text, image=image)
    assert isinstance(model, LateFusion)
    return model


@torch.no_grad()
def test_pair_is_each_side_alone_under_one_map(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build(tiny(model_type="late-fusion", text_pooling="max")).eval()
    randomise(model)
    text, image = model.encode_text(tokens), model.encode_image(pixels)
    pair, text_alone, image_alone = model.fuse(text, image), model.fuse(text, None), model.fuse(None, image)
    assert text_alone.text is not None
    assert image_alone.image is not None
    assert text_alone.pooled is not None
    assert image_alone.pooled is not None
    torch.testing.assert_close(pair.text, text_alone.text)
    torch.testing.assert_close(pair.image, image_alone.image)
    assert model.pair_pooler is not None
    expected = torch.tanh(model.pair_pooler(torch.cat((text_alone.pooled, image_alone.pooled), -1)))
    torch.testing.assert_close(pair.pooled, expected)
    assert model.pooled_size == model.text_size + model.image_size == expected.shape[-1]
    longest = text.hidden.masked_fill(~text.mask[..., None], -1e9).amax(1)
    torch.testing.assert_close(text_alone.pooled, longest)


def test_only_what_is_asked_for_is_there(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build(tiny(model_type="late-fusion"))
    fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels), frozenset(("image",)))
    assert (fused.text, fused.pooled) == (None, None)
    assert fused.image is not None
    assert [part.name for part in build(tiny(model_type="late-fusion"), image=False).parts()] == ["text_encoder"]


def test_frozen_cross_modal(tiny: Make) -> None:
    model = build(tiny(model_type="late-fusion", freeze_cross_modal=True, freeze_image_encoder=True))
    assert {part.name for part in model.parts() if part.frozen} == {"pair_pooler", "image_encoder"}


def test_masked_words_are_refused(tiny: Make) -> None:
    settings = tiny(model_type="late-fusion")
    mlm = declaration_of("mlm")
    context = TaskContext(mlm, settings, build(settings), object(), None)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no word sees the image"):
        load_behaviour(mlm)(context)
