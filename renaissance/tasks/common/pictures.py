"""Pictures to look at on a sheet: some of a split's, and the user's own, as the model sees them and as people do.

In: a split's examples, and how their images reach the model. Out: normalised pixels and small pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from renaissance.data.batches.batch import Batch
from renaissance.data.examples.interface import Examples
from renaissance.data.images.decode import BadImage, open_image
from renaissance.data.images.files import read_image_file
from renaissance.data.images.transform import ImageTransform
from renaissance.data.streams import stream
from renaissance.errors import UserError
from renaissance.stop_signals import STOP

Item = TypeVar("Item")
SHOWN_PIXELS = 256  # of the longer side of an image on a sheet


@dataclass(frozen=True)
class ManualInput:
    """A user's own image, and what its text is to begin with."""

    path: Path
    data: bytes
    prefix: str


@dataclass(frozen=True)
class SplitPictures:
    """The images of a split, by the rows of its tables.

    Attributes:
        examples: the split's.
        transform: makes pixels of an image file.
        to_pixels: the part of the image pipeline that runs on the device.
        batch_size: images at once.
        seed: of every draw.
        most: no more images than this are taken, whatever is asked for; None for no limit.
        stops: a signal may end it between two batches; not so where several processes go on together.
    """

    examples: Examples
    transform: ImageTransform
    to_pixels: Callable[[Batch], Tensor]
    batch_size: int
    seed: int
    most: int | None = None
    stops: bool = True

    def batches(self, most: int, what: str) -> Iterator[tuple[list[int], Tensor]]:
        """Images at even distances through the split, in batches: their rows, and normalised pixels (B, 3, H, W).

        Args:
            most: how many.
            what: names them in the progress bar.
        """
        rows = evenly(self.examples, most if self.most is None else min(most, self.most))
        for start in tqdm(
            range(0, len(rows), self.batch_size), desc=what, unit="batch", disable=None, leave=False, delay=1
        ):
            if self.stops:
                STOP.check()
            chosen = rows[start : start + self.batch_size]
            yield chosen, self.pixels([self._bytes(row) for row in chosen], [self.where(row) for row in chosen])

    def pixels(self, files: Sequence[bytes], sources: Sequence[str]) -> Tensor:
        """Normalised pixels (B, 3, H, W) of image files; `sources` name them in messages.

        Raises:
            UserError: an image cannot be read.
        """
        arrays = [_decoded(lambda data=data: self.transform(data), name)  # type: ignore[misc]
                  for data, name in zip(files, sources, strict=True)]  # fmt: skip
        device = next(self.to_pixels.buffers()).device if isinstance(self.to_pixels, nn.Module) else None
        batch = Batch(index=torch.arange(len(files)), pixels=torch.from_numpy(np.stack(arrays)))
        return self.to_pixels(batch if device is None else batch.to(device))

    def picture(self, row: int) -> Image.Image:
        """An image to look at."""
        return shown(self._bytes(row), self.where(row))

    def texts(self, row: int) -> list[str]:
        """The texts of an image."""
        return [self.examples.value(index, "text") for index in self.examples.of_row(row)]

    def where(self, row: int) -> str:
        """The table and row of an image."""
        return self.examples.where(self.examples.of_row(row).start)

    def stream(self, row: int, purpose: str) -> np.random.Generator:
        """Random numbers of an image: the same at every evaluation."""
        return stream(self.seed, 0, row, purpose)

    def _bytes(self, row: int) -> bytes:
        data: bytes = self.examples.value(self.examples.of_row(row).start, "image")
        return data


def evenly(examples: Examples, most: int | None) -> list[int]:
    """The rows of `most` images, or all where there are fewer, at even distances; rows without an example are left out.

    Args:
        examples: images, with texts or without.
        most: how many; None for all.
    """
    count = examples.rows if most is None else min(most, examples.rows)
    rows = [number * examples.rows // count for number in range(count)]
    return [row for row in rows if len(examples.of_row(row))]


def read_manual_inputs(inputs: Sequence[dict[str, str]]) -> list[ManualInput]:
    """The user's images, read once and looked through, so that a run does not stop at a sheet for one.

    Raises:
        UserError: a file cannot be read, is too large or is no image.
    """
    found = []
    for given in inputs:
        path = Path(given["image"])
        data = read_image_file(path, "manual_inputs")
        shown(data, f"manual_inputs: {path}")
        found.append(ManualInput(path, data, given["prefix"]))
    return found


def shown(data: bytes, source: str) -> Image.Image:
    """An image file at the size of a sheet.

    Raises:
        UserError: it is no image.
    """
    picture = _decoded(lambda: open_image(data, SHOWN_PIXELS), source)
    picture.thumbnail((SHOWN_PIXELS, SHOWN_PIXELS))
    return picture


def _decoded(decode: Callable[[], Item], source: str) -> Item:
    try:
        return decode()
    except BadImage as error:
        raise UserError(f"{source}: the image cannot be read: {error}.") from None
