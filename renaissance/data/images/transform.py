"""Images for the model: decoded and cut to size in the loader, normalised on the device.

In: the bytes of an image file. Out: (3, S, S) uint8, and on the device (N, 3, S, S) float. Images travel as uint8,
a quarter of the bytes of float.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from renaissance.data.images.augment import RandAugmentDraw
from renaissance.data.images.decode import open_image
from renaissance.settings.groups.inputs import ImageSettings

Box = tuple[float, float, float, float]  # four numbers in pixels of the source

RANDAUG = "_randaug"
_CROP_AREA = 0.35  # share of an image without captions that a random crop covers at least
_CROP_ASPECT = (3 / 4, 4 / 3)  # its width over its height
_CROP_TRIES = 10


@dataclass(frozen=True)
class ImageStatistics:
    """What an image encoder expects of its input.

    Attributes:
        mean: of red, green and blue, on a scale of 0 to 1.
        std: their standard deviations.
        resample: Pillow's number of the interpolation (2 bilinear, 3 bicubic).
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resample: int = int(Image.Resampling.BICUBIC)

    @classmethod
    def of_key(cls, key: str) -> ImageStatistics:
        """The statistics that a transform key (`imagenet`, `clip_randaug`, …) stands for."""
        return _STATISTICS[key.removesuffix(RANDAUG)]

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> ImageStatistics:
        """The statistics that a checkpoint keeps, as `dataclasses.asdict` made plain values of them."""
        return cls(tuple(state["mean"]), tuple(state["std"]), int(state["resample"]))


_STATISTICS = {
    "imagenet": ImageStatistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ImageStatistics((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}


class ImageTransform:
    """Bytes of an image file to pixels of the model's size.

    The shorter side is resized to S and the middle square is taken (as METER, CLIP and the image processors of
    transformers do, with equal pixels), in one step: only what the square shows is computed. Large JPEGs are decoded
    at a fraction of their size first (see decoding.py), which a processor that is handed a picture does not do.

    With a `_randaug` key, images without captions are cut at random and mirrored instead. Images with captions are
    not, since that makes "left", "right" and "two dogs" false (METER and ViLT do not either), unless `crop_area` asks
    for crops of them, as open_clip's training takes; mirrored they never are. RandAugment itself runs on the device,
    see augment.py.

    Attributes:
        image_size: S, the side of the pixels that come out.
        randaugment: draws the operations of RandAugment; None without a `_randaug` key.
        random: whether what comes out depends on a stream of random numbers.
    """

    def __init__(
        self,
        keys: Sequence[str],
        image_size: int,
        statistics: ImageStatistics,
        *,
        captioned: bool = True,
        crop_area: float = 1.0,
        randaugment: RandAugmentDraw | None = None,
    ):
        """Make a transform.

        Args:
            keys: `train_transform_keys` or `val_transform_keys`, one key.
            image_size: S in pixels.
            statistics: says the interpolation.
            captioned: texts tell of these images.
            crop_area: share of a captioned image that a random crop covers at least; 1 takes no crops of them.
            randaugment: RandAugment's draws, used with a `_randaug` key only.
        """
        augmented = keys[0].endswith(RANDAUG)
        self.image_size = image_size
        self._resample = Image.Resampling(statistics.resample)
        self.randaugment = randaugment if augmented else None
        self._crop_area = crop_area if captioned else _CROP_AREA
        self._mirrored = not captioned
        self.random = augmented if not captioned else crop_area < 1

    @classmethod
    def of_settings(
        cls, settings: ImageSettings, statistics: ImageStatistics, *, training: bool, captioned: bool
    ) -> ImageTransform:
        """The transform that the settings ask for, in training or otherwise."""
        keys = settings.train_transform_keys if training else settings.val_transform_keys
        draw = RandAugmentDraw(settings.randaugment_operations)
        area = settings.caption_crop_area if training else 1.0
        return cls(keys, settings.image_size, statistics, captioned=captioned, crop_area=area, randaugment=draw)

    def __call__(
        self, data: bytes | Image.Image, stream: np.random.Generator | None = None, part: Box | None = None
    ) -> NDArray[np.uint8]:
        """Decode and resize.

        Args:
            data: bytes of an image file, or a picture that Pillow has opened.
            stream: random numbers for the crop and the mirroring; used when `random`, otherwise None will do.
            part: left, upper, width and height of the part that is wanted, in the file's pixels, drawn or not; it is
                stretched to the square. None for the image.

        Returns:
            (3, S, S) uint8; a view of rows of pixels, colour last.

        Raises:
            BadImage: the bytes are no readable image.
        """
        size = self.image_size
        if part is not None:
            image = open_image(data)
            resized = image.resize((size, size), self._resample, box=_inside(part, image.size))
        elif self.random and stream is not None:
            image = open_image(data, _enough_for_crops(size, self._crop_area))
            box = _random_box(image.size, self._crop_area, stream)
            resized = image.resize((size, size), self._resample, box=box)
            if self._mirrored and stream.random() < 0.5:
                resized = resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        else:
            image = open_image(data, size)
            resized = image.resize((size, size), self._resample, box=_middle_square(image.size, size))
        return np.asarray(resized).transpose(2, 0, 1)


class Normalise(nn.Module):
    """Pixels to the scale that the image encoder was trained on."""

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: ImageStatistics):
        super().__init__()
        # Not in checkpoints' weights: they belong to the data's side, and checkpoints keep them as plain numbers.
        self.register_buffer("mean", torch.tensor(statistics.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(statistics.std).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W), uint8 or float from 0 to 1, to normalised float (N, 3, H, W)."""
        if pixels.dtype == torch.uint8:
            scaled = pixels.to(self.mean.dtype, memory_format=torch.contiguous_format)
            return scaled.sub_(self.mean * 255).div_(self.std * 255)
        return (pixels - self.mean) / self.std


def _middle_square(size: tuple[int, int], side: int) -> Box:
    """What the middle square shows when the shorter side is resized to `side`: whole pixels there, so few here."""
    shorter = min(size)
    left, right, upper, lower = (
        edge * length / resized
        for length in size
        for resized in [side * length // shorter]
        for edge in ((resized - side) // 2, (resized - side) // 2 + side)
    )
    return left, upper, right, lower


def _inside(part: Box, size: tuple[int, int]) -> Box:
    """The corners of a part (left, upper, width, height) of an image, as far as it lies within; a pixel at least."""
    left, upper = (min(max(0.0, start), length - 1.0) for start, length in zip(part[:2], size, strict=True))
    right, lower = (
        min(max(start + extent, first + 1.0), float(length))
        for start, extent, first, length in zip(part[:2], part[2:], (left, upper), size, strict=True)
    )
    return left, upper, right, lower


def _random_box(size: tuple[int, int], smallest: float, stream: np.random.Generator) -> Box:
    """A box of random aspect ratio and area, at least the smallest share of the image's, as in Inception's training.

    One that does not fit into the image is drawn again, as torchvision's RandomResizedCrop does; where none of ten
    fits, the whole image is taken. https://arxiv.org/abs/1409.4842
    """
    width, height = size
    for _ in range(_CROP_TRIES):
        area = width * height * stream.uniform(smallest, 1)
        aspect = exp(stream.uniform(log(_CROP_ASPECT[0]), log(_CROP_ASPECT[1])))
        box_width, box_height = sqrt(area * aspect), sqrt(area / aspect)
        if box_width <= width and box_height <= height:
            left, upper = stream.random() * (width - box_width), stream.random() * (height - box_height)
            return left, upper, left + box_width, upper + box_height
    return 0, 0, width, height


def _enough_for_crops(size: int, smallest: float) -> int:
    """The shorter side that an image needs so that crops of the smallest area are not enlarged."""
    return int(size / sqrt(smallest))
