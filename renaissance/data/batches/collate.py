"""Builds a batch from the numbers of its examples: reads, decodes, tokenizes, lets tasks collate, pads.

This is what the loader's processes run. In: a `BatchAddress`. Out: a `Batch`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.fetch import Fetch, ImageAddress
from renaissance.data.batches.order import BatchAddress
from renaissance.data.examples.interface import Examples
from renaissance.data.images.augment import RANDAUGMENT
from renaissance.data.images.decode import BadImage
from renaissance.data.images.transform import ImageTransform
from renaissance.data.streams import stream
from renaissance.data.text.processor import SPECIAL_WORD, Encoded, TextProcessor
from renaissance.errors import UserError


class Collate(Protocol):
    """What a task makes of a batch's examples before it trains on them. Picklable; depends on its arguments only."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Read, draw and fetch.

        Args:
            batch: B examples, without pixels as yet. Its tokens are padded to the longest of the examples' own texts;
                fetched ones may make them longer, so nothing here should have the tokens' length as its shape.
            fetch: asks for further images and texts, which become rows behind the examples' own, and reads values.
            streams: B generators, the same for an example whatever worker, rank or batch it comes by.

        Returns:
            tensors by name, which the step finds in `batch.collated[task]`.
        """
        ...


@dataclass(frozen=True)
class Failure:
    """A UserError on its way out of a worker process (PyTorch would wrap its traceback into the message)."""

    message: str


class BatchMaker(Dataset[Batch | Failure]):
    """Makes batches of examples. A map-style data set whose keys are batch addresses.

    Args:
        examples: where they come from.
        image_transform: for the images; None without images.
        text: for the texts; None without texts.
        collates: those of the tasks by name.
        seed: of every draw.
        training: windows of long texts may be drawn.
    """

    def __init__(
        self,
        examples: Examples,
        image_transform: ImageTransform | None,
        text: TextProcessor | None,
        collates: Mapping[str, Collate],
        seed: int,
        training: bool,
    ):
        self._examples = examples
        self._transform = image_transform if examples.needs.image else None
        self._text = text if examples.needs.text else None
        self._collates = dict(collates)
        self._seed = seed
        self._random_windows = training and text is not None and text.long_text == "uniform"

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return len(self._examples)

    def __getitem__(self, address: BatchAddress) -> Batch | Failure:
        try:
            return self.make([int(index) for index in address.indices], address.epoch)
        except UserError as error:
            return Failure(str(error))

    def make(self, indices: list[int], epoch: int = 0) -> Batch:
        """A batch of examples.

        Args:
            indices: their numbers.
            epoch: of the draws.

        Raises:
            UserError: an image or a table cannot be read.
        """
        examples = self._examples
        examples.check_whole()
        batch = Batch(
            index=torch.tensor(indices),
            schema=examples.needs.schema.name,
            row=torch.tensor([examples.row_of(index) for index in indices]),
        )
        if self._text is not None:
            encoded, segments = self._encode(self._text, epoch, indices)
            batch.tokens = pad_texts(encoded, segments, pad_id=self._text.pad_id)
        fetch = Fetch(examples, len(indices))
        for name, collate in self._collates.items():
            # The purpose is the stream's address: another word would be another draw.
            batch.collated[name] = collate(batch, fetch, self._streams(epoch, indices, f"draw {name}"))
        if fetch.texts and self._text is not None:
            more, more_segments = self._encode(self._text, epoch, fetch.texts)
            batch.tokens = pad_texts(encoded + more, segments + more_segments, pad_id=self._text.pad_id)
        if self._transform is not None:
            images = [ImageAddress(index) for index in indices] + fetch.images
            batch.pixels = self._pixels(self._transform, epoch, images)
            if self._transform.randaugment is not None:
                streams = self._streams(epoch, [image.index for image in images], RANDAUGMENT)
                batch.randaugment = self._transform.randaugment(streams)
        return batch

    def _encode(
        self, text: TextProcessor, epoch: int, indices: list[int]
    ) -> tuple[list[Encoded], list[NDArray[np.int64]]]:
        """The texts of examples, or their pairs of texts with the segment of each token."""
        examples = self._examples
        texts = [examples.value(index, "text") for index in indices]
        if "text_pair" in examples.needs.schema.columns:
            return text.encode_pairs(texts, [examples.value(index, "text_pair") for index in indices])
        streams = self._streams(epoch, indices, "long text") if self._random_windows else None
        return text.encode(texts, streams), []

    def _streams(self, epoch: int, indices: list[int], purpose: str) -> list[np.random.Generator]:
        return [stream(self._seed, epoch, index, purpose) for index in indices]

    def _pixels(self, transform: ImageTransform, epoch: int, images: Sequence[ImageAddress]) -> Tensor:
        """The pixels (N, 3, S, S) uint8 of images; each file is decoded once where nothing is drawn for it."""
        size = transform.image_size
        # Rows of pixels, colour last, as Pillow has them: copied as they are, and seen as (N, 3, S, S).
        pixels = np.empty((len(images), size, size, 3), np.uint8).transpose(0, 3, 1, 2)
        first_row: dict[ImageAddress, int] = {}
        for number, image in enumerate(images):
            place = ImageAddress(self._examples.row_of(image.index), image.column, image.box)
            same = first_row.setdefault(place, number)
            if same != number and not transform.random:  # another caption of an image that is there already
                pixels[number] = pixels[same]
                continue
            numbers = stream(self._seed, epoch, image.index, "image") if transform.random else None
            try:
                pixels[number] = transform(self._examples.value(image.index, image.column), numbers, image.box)
            except BadImage as error:
                raise UserError(
                    f"{self._examples.where(image.index, image.column)}: the image cannot be read: {error}."
                    f"{self._examples.remedy}"
                ) from None
        return torch.from_numpy(pixels)


def pad_texts(encoded: Sequence[Encoded], segments: Sequence[NDArray[np.int64]] = (), *, pad_id: int) -> Tokens:
    """Texts of L or fewer tokens as one batch of tokens (B, L), L the longest of them.

    Args:
        encoded: B texts.
        segments: of texts that are read in pairs, the segment of each token; empty where texts come alone.
        pad_id: the padding token's number.
    """

    def padded(values: Sequence[NDArray[Any]], padding: int | bool) -> Tensor:
        array = np.full((len(values), max(map(len, values))), padding)
        for row, value in enumerate(values):
            array[row, : len(value)] = value
        return torch.from_numpy(array)

    return Tokens(
        ids=padded([ids for ids, _ in encoded], pad_id),
        mask=padded([np.ones(len(ids), np.bool_) for ids, _ in encoded], False),
        words=padded([words for _, words in encoded], SPECIAL_WORD),
        segments=padded(segments, 0) if segments else None,
    )
