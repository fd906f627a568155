"""A user's own examples as a batch: pictures and texts out of memory, not out of tables.

In: examples as dictionaries, `{"image": …, "text": …}`. Out: a `Batch`, made as evaluation makes it, or one `UserError`
that names the example and the field at fault.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.collate import Collate, pad_texts
from renaissance.data.batches.fetch import Fetch, ImageAddress
from renaissance.data.examples.listed import ListExamples
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.images.decode import BadImage
from renaissance.data.images.transform import ImageTransform
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.tasks.common.task import Input

Picture = str | os.PathLike[str] | bytes | Image.Image
Example = Mapping[str, Any]
MASK = "[MASK]"  # how users write the mask token, however the tokenizer spells it
MOST_BYTES = 100_000_000  # of an image file
TYPES: dict[str, tuple[type, ...]] = {"image": (str, os.PathLike, bytes, Image.Image), "text": (str,), "boxes": (list,)}
WANTED = {
    "image": "a path, the bytes of an image file or a PIL image",
    "text": "a text",
    "boxes": "a list of boxes, each of them [left, upper, width, height]",
}


def listed(given: Iterable[Any], what: str) -> list[Any]:
    """A list of what a user gave.

    Args:
        given: a list, or anything else that can be gone through.
        what: the argument's name.

    Raises:
        UserError: it is a single thing.
    """
    if isinstance(given, str | bytes | os.PathLike | Mapping | Image.Image) or not isinstance(given, Iterable):
        raise UserError(f"{what}: is of type {type(given).__name__}; give a list, also of a single one: [{what[:-1]}]")
    return list(given)


@dataclass(frozen=True)
class Reading:
    """What is read of a user's examples.

    Attributes:
        inputs: the fields.
        names: how messages call the field of an example, with `{index}` and `{field}` in it.
        transform: makes pixels of pictures; None where there are none.
        text: makes tokens of texts; None where there are none.
        needs: the columns that `collates` read.
        collates: of tasks that fetch more of an example than its image and its text, by task.
    """

    inputs: tuple[Input, ...]
    names: str
    transform: ImageTransform | None
    text: TextProcessor | None
    needs: DataNeeds | None = None
    collates: Mapping[str, Collate] = field(default_factory=dict)

    @property
    def fields(self) -> list[str]:
        """The names of the fields."""
        return [given.field for given in self.inputs]

    def name(self, field: str, index: int) -> str:
        """What messages call a field of an example."""
        return self.names.format(field=field, index=index)


def check_examples(examples: Sequence[Example], reading: Reading) -> None:
    """Check that every example has what is read of it, of the right type; the images are not opened.

    Args:
        examples: the examples.
        reading: what is read of them.

    Raises:
        UserError: naming the first that has not.
    """
    for index, example in enumerate(examples):
        if not isinstance(example, Mapping):
            raise UserError(
                f"examples[{index}]: is of type {type(example).__name__}; give a dictionary, such as "
                '{"image": "scene.png", "text": "a red circle"}'
            )
        for given in reading.inputs:
            value, name, wanted = example.get(given.field), reading.name(given.field, index), WANTED[given.type]
            if value is None:
                raise UserError(f"{name}: is missing; give {wanted}")
            if not isinstance(value, TYPES[given.type]):
                raise UserError(f"{name}: is of type {type(value).__name__}; give {wanted}")
            if given.type == "boxes" and not _are_boxes(value):
                raise UserError(f"{name}: is no list of boxes; give {wanted}, in pixels")


def batch_of(examples: Sequence[Example], first: int, reading: Reading) -> Batch:
    """The batch of some checked examples.

    Args:
        examples: B examples.
        first: the place of the first among all.
        reading: what is read of them.

    Raises:
        UserError: a picture cannot be read.
    """
    places = torch.arange(len(examples))
    batch = Batch(index=first + places)
    if "text" in reading.fields and reading.text is not None:
        batch.tokens = _tokens(examples, reading.text, "text_pair" in reading.fields)
    if reading.transform is not None:
        given = [given.field for given in reading.inputs if given.type == "image"]
        opened = [
            {**example, **{field: _opened(example[field], reading.name(field, index)) for field in given}}
            for index, example in enumerate(examples, first)
        ]
        images = [ImageAddress(place) for place in places.tolist()] if "image" in given else []
        if reading.needs is not None:
            fetch = Fetch(ListExamples(opened, reading.needs), len(examples))
            for task, collate in reading.collates.items():
                batch.collated[task] = collate(replace(batch, index=places), fetch, ())
            images += fetch.images
        pixels = [_pixels(opened[image.index], image, examples[image.index], first, reading) for image in images]
        batch.pixels = torch.from_numpy(np.stack(pixels)) if pixels else None
    return batch


def _tokens(examples: Sequence[Example], text: TextProcessor, in_pairs: bool) -> Tokens:
    """The texts of examples, or their pairs of texts; [MASK] is the mask token."""

    def written(field: str) -> list[str]:
        texts = [str(example[field]) for example in examples]
        return [one.replace(MASK, text.mask_token) for one in texts] if text.has_mask else texts

    if in_pairs:
        return pad_texts(*text.encode_pairs(written("text"), written("text_pair")), pad_id=text.pad_id)
    return pad_texts(text.encode(written("text")), pad_id=text.pad_id)


def _are_boxes(given: Any) -> bool:
    """Whether there are boxes, each of them four numbers, of which the last two are an extent."""
    return bool(given) and all(
        isinstance(box, list | tuple)
        and len(box) == 4
        and all(isinstance(side, int | float) and math.isfinite(side) for side in box)
        and min(box[2:]) > 0
        for box in given
    )


def _opened(picture: Picture, name: str) -> bytes | Image.Image:
    """A picture, or the bytes of its file."""
    return picture if isinstance(picture, Image.Image | bytes) else _read(Path(picture), name)


def _pixels(opened: Example, image: ImageAddress, given: Example, first: int, reading: Reading) -> np.ndarray:
    """(3, S, S) uint8 of a picture, or of a box of it.

    Raises:
        UserError: it cannot be read.
    """
    assert reading.transform is not None
    try:
        return reading.transform(opened[image.column], part=image.box)
    except BadImage as error:
        name, picture = reading.name(image.column, first + image.index), given[image.column]
        whose = name if isinstance(picture, Image.Image | bytes) else f"{name}: {os.fspath(picture)}"
        raise UserError(f"{whose}: the image cannot be read: {error}") from None


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        raise UserError(f"{name}: {path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) > MOST_BYTES:
        raise UserError(f"{name}: {path} is larger than {MOST_BYTES:,} bytes; give a smaller image")
    return data
