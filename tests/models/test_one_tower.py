"""The one-tower model: alone on one modality it is transformers' own model; together, padding must not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.one_tower import OneTower
from renaissance.settings import Settings
from tests.models.references import BEIT, IMAGE, TEXT, randomise, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
ROBERTA = {**TEXT, "pad_token_id": 1, "max_position_embeddings": 22}
TEXTS = [("bert", TEXT), ("electra", TEXT), ("roberta", ROBERTA), ("distilbert", TEXT)]
IMAGES = [
    ("vit", IMAGE),
    ("deit", IMAGE),
    ("beit", {**BEIT, "use_mean_pooling": False}),
    ("beit", {**BEIT, "use_mean_pooling": False, "use_shared_relative_position_bias": True}),
    ("dinov2", IMAGE),
]
NAMES = [
    "google/electra-small-discriminator",
    "roberta-base",
    "facebook/deit-tiny-patch16-224",
    "microsoft/beit-base-patch16-224",
]


def build_one(settings: Settings, *, text: bool = True, image: bool = True) -> OneTower:
    model = build_model(settings, vocab_size=60, pad_id=0, image=image, text=text)
    assert isinstance(model, OneTower)
    return model.eval()


def without_types(model: OneTower) -> OneTower:
    nn.init.zeros_(model.type_embeddings.weight)
    return model


@pytest.fixture
def one(from_folders: Make, save: Save) -> Callable[..., OneTower]:
    """Builds a one-tower model on a Hugging Face model that is saved first."""

    def make(model: PreTrainedModel, **options: Any) -> OneTower:
        sides = {name: options.pop(name, True) for name in ("text", "image")}
        settings = from_folders(model_type="one-tower", encoder=save(model), **{"patch_size": 8, **options})
        return build_one(settings, **sides)

    return make


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("model_type", "values"), TEXTS)
@torch.no_grad()
def test_text_alone_equals_transformers(
    model_type: str, values: dict[str, Any], both: bool, one: Callable[..., OneTower], tokens: Tokens
) -> None:
    theirs = reference(model_type, values)
    ours = without_types(one(theirs, image=both))
    fused = ours.fuse(ours.encode_text(tokens), None)
    assert fused.text is not None
    assert fused.pooled is not None
    assert fused.image is None
    for row, length in enumerate(tokens.mask.sum(1).tolist()):
        alone = theirs(input_ids=tokens.ids[row : row + 1, :length]).last_hidden_state[0]
        torch.testing.assert_close(fused.text[row, :length], alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(fused.pooled[row], alone.mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("model_type", "reads"), [("bert", True), ("electra", True), ("roberta", False)])
@torch.no_grad()
def test_segments_are_transformers_token_types(
    model_type: str, reads: bool, one: Callable[..., OneTower], tokens: Tokens
) -> None:
    theirs = reference(model_type, {**dict(TEXTS)[model_type], "type_vocab_size": 1 + reads})
    ours = without_types(one(theirs))
    segments = (torch.arange(7) > 2).long().expand(3, 7) * tokens.mask
    found = ours.fuse(ours.encode_text(replace(tokens, segments=segments)), None).text
    alone = ours.fuse(ours.encode_text(tokens), None).text
    assert found is not None
    assert alone is not None
    assert torch.allclose(found[0], alone[0]) is not reads
    types = {"token_type_ids": segments[:1]} if reads else {}
    expected = theirs(input_ids=tokens.ids[:1], **types).last_hidden_state[0]
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("model_type", "values"), IMAGES)
@torch.no_grad()
def test_image_alone_equals_transformers(
    model_type: str, values: dict[str, Any], both: bool, one: Callable[..., OneTower], pixels: Tensor
) -> None:
    theirs = reference(model_type, values)
    ours = without_types(one(theirs, text=both, patch_size=None))
    fused = ours.fuse(None, ours.encode_image(pixels))
    expected = theirs(pixels).last_hidden_state
    torch.testing.assert_close(fused.image, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.pooled, expected[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_padding_does_not_matter(name: str, tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_one(tiny(model_type="one-tower", encoder=name))
    randomise(model)
    fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels))
    assert fused.text is not None
    assert fused.image is not None
    assert fused.pooled is not None
    alone_tokens = tokens.map(lambda tensor: tensor[1:2, :4])
    alone = model.fuse(model.encode_text(alone_tokens), model.encode_image(pixels[1:2]))
    torch.testing.assert_close(fused.text[1:2, :4], alone.text, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.image[1:2], alone.image, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.pooled[1:2], alone.pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_text_and_image_see_each_other(name: str, tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_one(tiny(model_type="one-tower", encoder=name))
    randomise(model)
    before = model.fuse(model.encode_text(tokens), model.encode_image(pixels))
    other_image = model.fuse(model.encode_text(tokens), model.encode_image(pixels + 1))
    other_text = model.fuse(model.encode_text(tokens.with_ids((tokens.ids + 1) % 60)), model.encode_image(pixels))
    assert not torch.allclose(before.text, other_image.text)  # type: ignore[arg-type]
    assert not torch.allclose(before.image, other_text.image)  # type: ignore[arg-type]


@pytest.mark.parametrize(("pooler_type", "width"), [("single", 32), ("double", 64)])
@torch.no_grad()
def test_pooler(pooler_type: str, width: int, tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_one(tiny(model_type="one-tower", pooler_type=pooler_type))
    fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels))
    assert fused.text is not None
    assert fused.image is not None
    assert model.pooler is not None
    first = fused.text[:, 0] if width == 32 else torch.cat((fused.text[:, 0], fused.image[:, 0]), dim=1)
    assert model.pooled_size == width
    assert model.hidden_size == model.text_size == model.image_size == 32
    torch.testing.assert_close(fused.pooled, torch.tanh(first @ model.pooler.weight.T + model.pooler.bias))
    assert model.fuse(model.encode_text(tokens), None, frozenset({"text"})).pooled is None


def test_gradients_reach_every_parameter(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    for name in NAMES:
        model = build_one(tiny(model_type="one-tower", encoder=name))
        randomise(model)
        fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels))
        sum(value.square().sum() for value in (fused.text, fused.image, fused.pooled) if value is not None).backward()  # type: ignore[union-attr]
        without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
        assert without == set(), name


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("microsoft/swin-tiny-patch4-window7-224", {"image_size": 224, "patch_size": None}),
        ("google/electra-small-discriminator", {"image_size": 36, "patch_size": None}),
    ],
)
def test_what_it_cannot_do_is_said(name: str, overrides: dict[str, Any], tiny: Make) -> None:
    settings = tiny(model_type="one-tower", encoder=name, encoder_manual_configuration=False, **overrides)
    with pytest.raises(UserError, match=r"is not one\. Take a BERT|image_size = 36 is no multiple"):
        build_one(settings)


@pytest.mark.parametrize(
    ("model_type", "values"), [("mpnet", TEXT), ("convnext", {"depths": [1] * 4, "hidden_sizes": [8] * 4})]
)
def test_more_than_a_plain_transformer_is_refused(
    model_type: str, values: dict[str, Any], one: Callable[..., OneTower]
) -> None:
    """MPNet adds a bias between positions outside its layers; a ConvNeXt has no layers to run on words."""
    with pytest.raises(UserError, match=f"a {model_type} model is not one"):
        one(reference(model_type, values), patch_size=None)
