"""RandAugment on the device: each example gets its own operations, drawn in the loader and applied here.

Source: Cubuk et al. 2020, https://arxiv.org/abs/1909.13719, in the form that ViLT (https://arxiv.org/abs/2102.03334,
section 3.2) gave it for images with captions: no colour inversion and no cutout, since captions speak of colours
and of small things. For the same reason solarising is left out, which inverts the bright half of the colours.
kornia's own RandAugment draws from the global generator and one sequence of operations for a whole batch, so its
operations are used here and drawn by address: per example from (seed, epoch, index).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import radians

import numpy as np
import torch
from torch import Tensor, nn

RANDAUGMENT = "randaugment"  # the purpose of its random numbers, which is a part of their address
GREATEST_MAGNITUDE = 30

# What magnitude 30 means, as in ViLT.
_ROTATION = radians(30)
_SHEAR = 0.3  # pixels a row
_TRANSLATION = 0.3  # share of the side
_FACTOR = 0.9  # colour, contrast, brightness and sharpness times 1 - 0.9 to 1 + 0.9
_POSTERIZED_BITS = 4  # of 8 bits lost

_ENHANCEMENTS = ("auto_contrast", "equalize", "posterize", "colour", "contrast", "brightness", "sharpness")
_MOVEMENTS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
OPERATIONS = _ENHANCEMENTS + _MOVEMENTS


@dataclass(frozen=True)
class RandAugmentDraw:
    """Draws which operations an image gets.

    Attributes:
        operations: how many one after the other, K.
    """

    operations: int

    def __call__(self, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw for N images, each from its stream.

        Returns:
            "operation": (N, K) long, numbers into OPERATIONS; "sign": (N, K) float, 1 or -1.
        """
        operation = [stream.integers(len(OPERATIONS), size=self.operations) for stream in streams]
        sign = [stream.choice((-1.0, 1.0), size=self.operations) for stream in streams]
        return {
            "operation": torch.from_numpy(np.stack(operation)),
            "sign": torch.from_numpy(np.stack(sign)).float(),
        }


class RandAugment(nn.Module):
    """Applies drawn operations to a batch of images."""

    def __init__(self, magnitude: int):
        """Args: magnitude: strength of the operations, 0 to GREATEST_MAGNITUDE."""
        super().__init__()
        self.strength = magnitude / GREATEST_MAGNITUDE

    @torch.no_grad()
    def forward(self, pixels: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Augment.

        Args:
            pixels: (N, 3, H, W) uint8, or float from 0 to 1.
            drawn: what RandAugmentDraw drew for these N images.

        Returns:
            (N, 3, H, W) float from 0 to 1.
        """
        if pixels.dtype == torch.uint8:
            pixels = pixels.to(torch.float32, memory_format=torch.contiguous_format) / 255
        for operation, sign in zip(drawn["operation"].unbind(1), drawn["sign"].unbind(1), strict=True):
            result = pixels.clone()
            for number, name in enumerate(_ENHANCEMENTS):
                rows = (operation == number).nonzero().squeeze(1)
                if len(rows):
                    result[rows] = self._enhance(name, pixels[rows], sign[rows])
            rows = (operation >= len(_ENHANCEMENTS)).nonzero().squeeze(1)
            if len(rows):
                result[rows] = self._move(pixels[rows], operation[rows], sign[rows])
            pixels = result
        return pixels

    def _enhance(self, name: str, images: Tensor, sign: Tensor) -> Tensor:
        from kornia import enhance  # here, since importing kornia takes a while and most runs need none of it

        factor = 1 + sign * self.strength * _FACTOR  # (n,)
        bits = round(8 - self.strength * _POSTERIZED_BITS)
        functions: dict[str, Callable[[], Tensor]] = {
            "auto_contrast": lambda: enhance.normalize_min_max(images),
            "equalize": lambda: enhance.equalize(images),
            "posterize": lambda: enhance.posterize(images, bits),
            "colour": lambda: enhance.adjust_saturation_with_gray_subtraction(images, factor),
            "contrast": lambda: enhance.adjust_contrast_with_mean_subtraction(images, factor),
            "brightness": lambda: enhance.adjust_brightness_accumulative(images, factor),
            "sharpness": lambda: enhance.sharpness(images, factor),
        }
        return functions[name]()

    def _move(self, images: Tensor, operation: Tensor, sign: Tensor) -> Tensor:
        """Rotate, shear and shift (n, 3, H, W) around the middle in one resampling; what comes in is black."""
        from kornia.geometry.transform import warp_affine

        height, width = images.shape[-2:]
        amount = {
            name: torch.where(operation == OPERATIONS.index(name), sign * self.strength, 0.0) for name in _MOVEMENTS
        }
        angle = amount["rotate"] * _ROTATION
        matrix = torch.zeros(len(images), 2, 3, device=images.device)
        matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
        matrix[:, 0, 1] = angle.sin() + amount["shear_x"] * _SHEAR
        matrix[:, 1, 0] = -angle.sin() + amount["shear_y"] * _SHEAR
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=images.device)
        matrix[:, :, 2] = middle - matrix[:, :, :2] @ middle
        matrix[:, 0, 2] += amount["translate_x"] * _TRANSLATION * width
        matrix[:, 1, 2] += amount["translate_y"] * _TRANSLATION * height
        return warp_affine(images, matrix, (height, width)).clamp(0, 1)
