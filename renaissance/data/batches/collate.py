"""Builds a batch from the numbers of its examples: reads, decodes, tokenizes, lets tasks draw, pads.

This is what the loader's processes run. In: a `BatchAddress`. Out: a `Batch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.order import BatchAddress
from renaissance.data.examples.source import ExampleSource
from renaissance.data.images.augment import RANDAUGMENT
from renaissance.data.images.decode import BadImage
from renaissance.data.images.transform import ImageTransform
from renaissance.data.streams import stream
from renaissance.data.text.processor import SPECIAL_WORD, Encoded, TextProcessor
from renaissance.errors import UserError


class ExtraDrawer:
    """Takes a task's requests for images and texts beyond the batch's own examples.

    Attributes:
        source: the data set, to draw from.
    """

    def __init__(self, source: ExampleSource, examples: int):
        self.source = source
        self._examples = examples
        self._images: dict[int, int] = {}
        self._texts: dict[int, int] = {}

    @property
    def images(self) -> list[int]:
        """The examples whose images were asked for, in the order of their rows."""
        return list(self._images)

    @property
    def texts(self) -> list[int]:
        """The examples whose texts were asked for, in the order of their rows."""
        return list(self._texts)

    def add_image(self, index: int) -> int:
        """Ask for the image of example `index`; returns its row in the batch's `pixels`."""
        index = self.source.examples_of_image(self.source.image_key(index)).start  # the same for all its captions
        return self._images.setdefault(index, self._examples + len(self._images))

    def add_text(self, index: int) -> int:
        """Ask for the text of example `index`; returns its row in the batch's `tokens`."""
        return self._texts.setdefault(index, self._examples + len(self._texts))


class Draw(Protocol):
    """A task's random choices for a batch. Has to be picklable, and to depend on its arguments only."""

    def __call__(self, batch: Batch, drawer: ExtraDrawer, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw.

        Args:
            batch: B examples without pixels as yet.
            drawer: asks for further images and texts.
            streams: B generators, the same for an example whatever worker, rank or batch it comes by.

        Returns:
            tensors by name, which the step finds in `batch.drawn[task]`.
        """
        ...


@dataclass(frozen=True)
class Failure:
    """A UserError on its way out of a worker process (PyTorch would wrap its traceback into the message)."""

    message: str


class BatchMaker(Dataset[Batch | Failure]):
    """Makes batches of a source. A map-style data set whose keys are batch addresses."""

    def __init__(
        self,
        source: ExampleSource,
        image_transform: ImageTransform | None,
        text: TextProcessor | None,
        draws: Mapping[str, Draw],
        seed: int,
        training: bool,
    ):
        self._source = source
        self._transform = image_transform if source.needs.image else None
        self._text = text if source.needs.text else None
        self._draws = dict(draws)
        self._seed = seed
        self._random_windows = training and text is not None and text.long_text == "uniform"

    def __getitem__(self, address: BatchAddress) -> Batch | Failure:
        try:
            return self._make(address.epoch, [int(index) for index in address.indices])
        except UserError as error:
            return Failure(str(error))

    def _make(self, epoch: int, indices: list[int]) -> Batch:
        source = self._source
        source.check_whole()
        batch = Batch(index=torch.tensor(indices))
        encoded: list[Encoded] = []
        if source.needs.image:
            batch.image_key = torch.tensor([source.image_key(index) for index in indices])
        if source.has_labels:
            batch.label = torch.tensor([source.label(index) for index in indices])
        if self._text is not None:
            encoded = self._encode(self._text, epoch, indices)
            batch.tokens = pad(encoded, self._text.pad_id)
        drawer = ExtraDrawer(source, len(indices))
        self._draw(batch, drawer, epoch, indices)
        if drawer.texts and self._text is not None and batch.tokens is not None:
            length = batch.tokens.ids.shape[1]
            batch.tokens = pad(encoded + self._encode(self._text, epoch, drawer.texts), self._text.pad_id)
            if batch.tokens.ids.shape[1] > length:
                # A text that one task added is the longest now, and what others drew has the old length:
                # drawn again, from the same streams, it is the same on the new length.
                self._draw(batch, drawer, epoch, indices)
        if self._transform is not None:
            self._add_pixels(batch, self._transform, epoch, indices + drawer.images)
        return batch

    def _encode(self, text: TextProcessor, epoch: int, indices: list[int]) -> list[Encoded]:
        streams = self._streams(epoch, indices, "long text") if self._random_windows else None
        return text.encode([self._source.text(index) for index in indices], streams)

    def _draw(self, batch: Batch, drawer: ExtraDrawer, epoch: int, indices: list[int]) -> None:
        for name, draw in self._draws.items():
            batch.drawn[name] = draw(batch, drawer, self._streams(epoch, indices, f"draw {name}"))

    def _streams(self, epoch: int, indices: list[int], purpose: str) -> list[np.random.Generator]:
        return [stream(self._seed, epoch, index, purpose) for index in indices]

    def _add_pixels(self, batch: Batch, transform: ImageTransform, epoch: int, indices: list[int]) -> None:
        size = transform.image_size
        # Rows of pixels, colour last, as Pillow has them: copied as they are, and seen as (N, 3, S, S).
        pixels = np.empty((len(indices), size, size, 3), np.uint8).transpose(0, 3, 1, 2)
        first_row: dict[int, int] = {}
        for row, index in enumerate(indices):
            same = first_row.setdefault(self._source.image_key(index), row)
            if same != row and not transform.random:  # another caption of an image that is there already
                pixels[row] = pixels[same]
                continue
            numbers = stream(self._seed, epoch, index, "image") if transform.random else None
            try:
                pixels[row] = transform(self._source.image_bytes(index), numbers)
            except BadImage as error:
                raise UserError(
                    f"{self._source.where(index)}: the image cannot be read: {error}. Prepare the table again, which "
                    "leaves such images out and lists them."
                ) from None
        batch.pixels = torch.from_numpy(pixels)
        if transform.randaugment is not None:
            batch.drawn[RANDAUGMENT] = transform.randaugment(self._streams(epoch, indices, RANDAUGMENT))


def pad(encoded: Sequence[Encoded], pad_id: int) -> Tokens:
    """Texts of L or fewer tokens to (B, L), L the longest of them."""
    shape = (len(encoded), max(len(ids) for ids, _ in encoded))
    ids = np.full(shape, pad_id)
    words = np.full(shape, SPECIAL_WORD)
    mask = np.zeros(shape, np.bool_)
    for row, (text_ids, text_words) in enumerate(encoded):
        length = len(text_ids)
        ids[row, :length], words[row, :length], mask[row, :length] = text_ids, text_words, True
    return Tokens(ids=torch.from_numpy(ids), mask=torch.from_numpy(mask), words=torch.from_numpy(words))
