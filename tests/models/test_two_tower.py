"""The two-tower model as a whole: its parts, its uni-modal answers, padding."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from renaissance.data.batches.batch import Tokens
from renaissance.models.build import build_model
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.settings import Settings
from tests.models.references import randomise

Make = Callable[..., Settings]


def build_two(settings: Settings, *, text: bool = True, image: bool = True) -> VisionLanguageEncoder:
    model = build_model(settings, vocab_size=60, pad_id=0, image=image, text=text)
    randomise(model)
    return model.eval()


@pytest.mark.parametrize("name", ["google/electra-small-discriminator", "bert-base-uncased", "roberta-base"])
@torch.no_grad()
def test_padding_does_not_matter(name: str, tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_two(tiny(text_encoder=name))
    fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels))
    alone = model.fuse(model.encode_text(tokens.map(lambda tensor: tensor[1:2, :4])), model.encode_image(pixels[1:2]))
    assert fused.text is not None
    assert fused.image is not None
    assert fused.pooled is not None
    torch.testing.assert_close(fused.text[1:2, :4], alone.text, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.image[1:2], alone.image, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fused.pooled[1:2], alone.pooled, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_sizes_and_selected_features(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    """A mismatched pair made of features that are there equals one that is encoded anew."""
    model = build_two(tiny())
    assert (model.hidden_size, model.pooled_size, model.text_size, model.image_size) == (24, 48, 32, 32)
    rows = torch.tensor([2, 0, 1])
    text, image = model.encode_text(tokens), model.encode_image(pixels)
    found = model.fuse(text, image.select(rows), frozenset({"pooled"}))
    expected = model.fuse(text, model.encode_image(pixels[rows]))
    torch.testing.assert_close(found.pooled, expected.pooled, rtol=1e-4, atol=1e-5)
    assert found.text is None
    assert found.image is None


@torch.no_grad()
def test_one_modality_is_its_tower(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_two(tiny())
    text, image = model.encode_text(tokens), model.encode_image(pixels)
    of_text, of_image = model.fuse(text, None), model.fuse(None, image)
    assert of_text.text is text.hidden
    assert of_image.image is image.hidden
    for row, length in enumerate((7, 4, 1)):
        torch.testing.assert_close(of_text.pooled[row], text.hidden[row, :length].mean(0))  # type: ignore[index]
    assert torch.equal(of_image.pooled, image.hidden[:, 0])  # type: ignore[arg-type]
    assert model.fuse(text, None, frozenset({"pooled"})).text is None


@pytest.mark.parametrize(
    ("text", "image", "names"),
    [
        (True, False, ["text_encoder"]),
        (False, True, ["image_encoder"]),
        (True, True, ["text_encoder", "image_encoder", "text_projection", "image_projection", "fuser"]),
    ],
)
def test_only_the_sides_that_are_used(text: bool, image: bool, names: list[str], tiny: Make) -> None:
    model = build_two(tiny(), text=text, image=image)
    assert [part.name for part in model.parts()] == names
    assert (model.pooled_size, model.text_size > 0, model.image_size > 0) == (48 * (text and image), text, image)
    assert set(model.encoder_configs()) == {name for name in names if name.endswith("_encoder")}


def test_gradients_reach_every_parameter(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_two(tiny())
    fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels))
    sum(value.square().sum() for value in (fused.text, fused.image, fused.pooled) if value is not None).backward()  # type: ignore[union-attr]
    assert {name for name, parameter in model.named_parameters() if parameter.grad is None} == set()
