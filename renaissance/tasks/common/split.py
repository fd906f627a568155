"""The images of a split as a whole, for tasks that generate: what is made of an image cannot be averaged by batches.

In: the split's examples, and how its images reach the model. Out: chosen images as normalised pixels, with their
texts and with random numbers of their own; and the user's own images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from renaissance.data.batches.batch import Batch
from renaissance.data.examples.source import ExampleSource
from renaissance.data.images.decode import BadImage, open_image
from renaissance.data.images.transform import ImageTransform
from renaissance.data.streams import stream
from renaissance.errors import UserError
from renaissance.stop_signals import STOP

Item = TypeVar("Item")
MAX_BYTES = 100_000_000  # of a user's image file
SHOWN_PIXELS = 256  # of the longer side of an image on a sheet


@dataclass(frozen=True)
class ManualInput:
    """A user's own image, and what its text is to begin with."""

    path: Path
    data: bytes
    prefix: str


@dataclass(frozen=True)
class SplitImages:
    """The images of a split.

    Attributes:
        split: its name.
        source: its examples.
        transform: makes pixels of an image file.
        to_pixels: the part of the image pipeline that runs on the device.
        batch_size: images at once.
        seed: of every draw.
        most: no more images than this are taken, whatever is asked for; None for no limit.
        rank: this process's number.
        world_size: processes.
    """

    split: str
    source: ExampleSource
    transform: ImageTransform
    to_pixels: Callable[[Batch], Tensor]
    batch_size: int
    seed: int
    most: int | None = None
    rank: int = 0
    world_size: int = 1

    def evenly(self, most: int | None) -> list[int]:
        """The keys of `most` images, or all where there are fewer, at even distances through the split."""
        rows = self.source.rows
        count = min(limit for limit in (most, self.most, rows) if limit is not None)
        keys = [number * rows // count for number in range(count)]
        return [key for key in keys if len(self.source.examples_of_image(key))]

    def batches(self, keys: Sequence[int], what: str, share: bool = True) -> Iterator[tuple[list[int], Tensor]]:
        """Batches of images, as their keys and normalised pixels (B, 3, H, W).

        Args:
            keys: the images.
            what: names them in the progress bar.
            share: leave to the other processes their shares.
        """
        own = list(keys[self.rank :: self.world_size] if share else keys)
        starts = range(0, len(own), self.batch_size)
        for start in tqdm(starts, desc=what, unit="batch", disable=None, leave=False, delay=1):
            if self.world_size == 1:  # several processes go on together
                STOP.check()
            chosen = own[start : start + self.batch_size]
            yield chosen, self.pixels([self._bytes(key) for key in chosen], [self.where(key) for key in chosen])

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

    def picture(self, key: int) -> Image.Image:
        """An image to look at."""
        return shown(self._bytes(key), self.where(key))

    def texts(self, key: int) -> list[str]:
        """The texts of an image."""
        return [self.source.text(index) for index in self.source.examples_of_image(key)]

    def where(self, key: int) -> str:
        """The table and row of an image."""
        return self.source.where(self.source.examples_of_image(key).start)

    def stream(self, key: int, purpose: str) -> np.random.Generator:
        """Random numbers of an image: the same at every evaluation."""
        return stream(self.seed, 0, key, purpose)

    def gathered(self, items: list[Item]) -> list[Item]:
        """What all processes have, on each of them."""
        if self.world_size == 1:
            return items
        everything: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(everything, items)
        return [item for part in everything for item in part]

    def _bytes(self, key: int) -> bytes:
        return self.source.image_bytes(self.source.examples_of_image(key).start)


def read_manual_inputs(inputs: Sequence[dict[str, str]]) -> list[ManualInput]:
    """The user's images, read once and looked through, so that a run does not stop at a sheet for one.

    Raises:
        UserError: a file cannot be read, is too large or is no image.
    """
    found = []
    for given in inputs:
        path = Path(given["image"])
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UserError(f"manual_inputs: {path} cannot be read ({error.strerror}).") from error
        if len(data) > MAX_BYTES:
            raise UserError(f"manual_inputs: {path} is larger than {MAX_BYTES:,} bytes. Give a smaller image.")
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
