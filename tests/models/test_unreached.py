"""What of an encoder gets no gradient, told by its structure, against what a backward pass leaves without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.models.build import build_model
from renaissance.models.interface import ALL_OUTPUTS, Fused, Output, Sides, VisionLanguageEncoder
from renaissance.settings import Settings
from tests.models.references import BEIT, CONVNEXT, IMAGE, RESNET, SWIN, TEXT, reference
from tests.models.test_joint_encoders import settings_of, texts, whole

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
IMAGES: list[tuple[str, dict[str, Any]]] = [
    ("vit", IMAGE), ("deit", IMAGE), ("beit", BEIT), ("beit", {**BEIT, "use_mean_pooling": False}), ("dinov2", IMAGE),
    ("swin", SWIN), ("convnext", CONVNEXT), ("resnet", RESNET),
]  # fmt: skip
TEXTS = ["bert", "roberta", "electra", "distilbert", "mpnet", "albert"]


def check(model: VisionLanguageEncoder, sides: Sides, *made: Fused) -> None:
    """What the model leaves alone is what the outputs give no gradient to."""
    outputs = [value for fused in made for value in vars(fused).values() if value is not None]
    torch.stack([output.square().sum() for output in outputs]).sum().backward()  # type: ignore[no-untyped-call]
    expected = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    model.leave_unreached(sides)
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == expected


def frozen(module: nn.Module) -> int:
    return sum(not parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("outputs", [("text",), ("image",), ("pooled",), ("text", "image"), ("text", "pooled")])
@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
def test_of_pairs(tiny: Make, tokens: Tokens, pixels: Tensor, model_type: str, outputs: tuple[Output, ...]) -> None:
    model = build_model(tiny(model_type=model_type), vocab_size=60, pad_id=0, image=True, text=True)
    asked = frozenset(outputs)
    fused = model.fuse(model.encode_text(tokens), model.encode_image(pixels), asked)
    check(model, Sides(text=True, image=True, fused=True, outputs=asked), fused)
    assert bool(frozen(model)) == ("pooled" not in outputs)


@pytest.mark.parametrize(("model_type", "values"), IMAGES)
def test_of_image_encoders(
    model_type: str, values: dict[str, Any], from_folders: Make, save: Save, pixels: Tensor
) -> None:
    settings = from_folders(image_encoder=save(reference(model_type, values)))
    model = build_model(settings, vocab_size=0, pad_id=0, image=True, text=False)
    check(model, Sides(image=True, pooled=True), model.fuse(None, model.encode_image(pixels)))
    assert frozen(model) == (model_type == "dinov2")


@pytest.mark.parametrize("model_type", TEXTS)
def test_of_text_encoders(model_type: str, from_folders: Make, save: Save, tokens: Tokens) -> None:
    settings = from_folders(text_encoder=save(reference(model_type, TEXT)))
    model = build_model(settings, vocab_size=60, pad_id=0, image=False, text=True)
    check(model, Sides(text=True, pooled=True), model.fuse(model.encode_text(tokens), None))
    assert frozen(model) == 0


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_of_whole_models(family: str, pooled: bool, make_settings: Make, save: Save, pixels: Tensor) -> None:
    settings = settings_of(make_settings, save(whole(family)), family)
    model = build_model(settings, vocab_size=60, pad_id=1, image=True, text=True, fused=False)
    outputs = ALL_OUTPUTS if pooled else frozenset[Output](("text", "image"))
    text, image = model.encode_text(texts()), model.encode_image(pixels)
    check(model, Sides(text=True, image=True, pooled=pooled), model.fuse(text, None, outputs),
          model.fuse(None, image, outputs))  # fmt: skip
    assert bool(frozen(model)) == (not pooled)
