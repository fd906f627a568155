"""RandAugment: each operation against Pillow's, and each example on its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from renaissance.data.images.augment import OPERATIONS, RandAugment, RandAugmentDraw
from renaissance.data.streams import stream

MAGNITUDE = 15
FACTOR = 1 + 0.9 * MAGNITUDE / 30


@pytest.fixture
def pixels() -> Tensor:
    """Soft random pictures (6, 3, 40, 48) uint8, none of them over the whole range of brightness."""
    random = np.random.default_rng(0)
    pictures = [
        Image.fromarray(random.integers(30, 220, size=(5, 6, 3), dtype=np.uint8)).resize((48, 40)) for _ in range(6)
    ]
    return torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)


def augment(pixels: Tensor, name: str, sign: float = 1.0, magnitude: int = MAGNITUDE) -> Tensor:
    drawn = {
        "operation": torch.full((len(pixels), 1), OPERATIONS.index(name)),
        "sign": torch.full((len(pixels), 1), sign),
    }
    return RandAugment(magnitude)(pixels, drawn)


def pillow(pixels: Tensor, name: str) -> np.ndarray:
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    functions: dict[str, Callable[[Image.Image], Image.Image]] = {
        "auto_contrast": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
        "posterize": lambda image: ImageOps.posterize(image, 6),
        "colour": lambda image: ImageEnhance.Color(image).enhance(FACTOR),
        "contrast": lambda image: ImageEnhance.Contrast(image).enhance(FACTOR),
        "brightness": lambda image: ImageEnhance.Brightness(image).enhance(FACTOR),
        "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(FACTOR),
        "rotate": lambda image: image.rotate(15, Image.Resampling.BILINEAR),
        "translate_x": lambda image: image.transform(
            image.size, Image.Transform.AFFINE, (1, 0, -0.15 * 48, 0, 1, 0), Image.Resampling.BILINEAR
        ),
        "translate_y": lambda image: image.transform(
            image.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -0.15 * 40), Image.Resampling.BILINEAR
        ),
        "shear_x": lambda image: image.transform(
            image.size, Image.Transform.AFFINE, (1, -0.15, 0.15 * 20, 0, 1, 0), Image.Resampling.BILINEAR
        ),
        "shear_y": lambda image: image.transform(
            image.size, Image.Transform.AFFINE, (1, 0, 0, -0.15, 1, 0.15 * 24), Image.Resampling.BILINEAR
        ),
    }
    return np.asarray(functions[name](image)).astype(float).transpose(2, 0, 1)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_does_what_pillows_does(pixels: Tensor, name: str) -> None:
    augmented = augment(pixels, name) * 255
    changed = (augmented - pixels).abs().mean(dim=(1, 2, 3))
    assert (changed > 0.2).all()
    inner = np.s_[:, 3:-3, 3:-3]  # what comes in at the border differs by half a pixel
    for own, original in zip(augmented, pixels, strict=True):
        difference = np.abs(own.numpy() - pillow(original, name))
        assert np.median(difference[inner]) < 1.5
        assert difference[inner].mean() < 3


@pytest.mark.parametrize("name", OPERATIONS)
def test_results_are_pixels(pixels: Tensor, name: str) -> None:
    for sign in (1.0, -1.0):
        augmented = augment(pixels, name, sign, magnitude=30)
        assert augmented.shape == pixels.shape
        assert augmented.dtype == torch.float32
        assert augmented.min() >= 0
        assert augmented.max() <= 1
        assert torch.isfinite(augmented).all()


def test_an_example_does_not_depend_on_its_batch(pixels: Tensor) -> None:
    streams = [stream(0, 3, index, "randaugment") for index in range(6)]
    drawn = RandAugmentDraw(2)(streams)
    together = RandAugment(MAGNITUDE)(pixels, drawn)
    for row in range(6):
        own = RandAugmentDraw(2)([stream(0, 3, row, "randaugment")])
        alone = RandAugment(MAGNITUDE)(pixels[row : row + 1], own)
        torch.testing.assert_close(alone[0], together[row])


def test_operations_and_signs_are_drawn_evenly() -> None:
    drawn = RandAugmentDraw(2)([stream(0, 0, index, "randaugment") for index in range(3000)])
    counts = torch.bincount(drawn["operation"].flatten(), minlength=len(OPERATIONS))
    assert (counts - 6000 / len(OPERATIONS)).abs().max() < 5 * (6000 / len(OPERATIONS)) ** 0.5
    assert drawn["sign"].mean().abs() < 0.06
    assert set(drawn["sign"].unique().tolist()) == {-1.0, 1.0}


def test_colours_are_not_inverted(pixels: Tensor) -> None:
    """Captions speak of colours: what is brighter stays brighter."""
    for name in OPERATIONS[:7]:
        for sign in (1.0, -1.0):
            augmented = augment(pixels, name, sign, magnitude=20)
            for channel in range(3):
                pairs = torch.stack([pixels[:, channel].flatten().float(), augmented[:, channel].flatten()])
                assert torch.corrcoef(pairs)[0, 1] > 0.5, name
