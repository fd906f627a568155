"""A user's own examples as a batch: pictures and texts out of memory, not out of tables.

In: examples as dictionaries, `{"image": …, "text": …}`. Out: a `Batch`, made as evaluation makes it, or one `UserError`
that names the example and the field at fault.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import pad_texts
from renaissance.data.images.decode import BadImage
from renaissance.data.images.transform import ImageTransform
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError

Picture = str | os.PathLike[str] | bytes | Image.Image
Example = Mapping[str, Any]
MASK = "[MASK]"  # how users write the mask token, however the tokenizer spells it
MOST_BYTES = 100_000_000  # of an image file
TYPES: dict[str, tuple[type, ...]] = {"image": (str, os.PathLike, bytes, Image.Image), "text": (str,)}
WANTED = {"image": "a path, the bytes of an image file or a PIL image", "text": "a text"}


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


def check_examples(examples: Sequence[Example], fields: Collection[str], names: Mapping[str, str]) -> None:
    """Check that every example has what is read of it, of the right type; the images are not opened.

    Args:
        examples: the examples.
        fields: which of "image" and "text" are read.
        names: how messages call the field of an example, with `{index}` in it.

    Raises:
        UserError: naming the first that has not.
    """
    for index, example in enumerate(examples):
        if not isinstance(example, Mapping):
            raise UserError(
                f"examples[{index}]: is of type {type(example).__name__}; give a dictionary, such as "
                '{"image": "scene.png", "text": "a red circle"}'
            )
        for field in fields:
            value, name = example.get(field), names[field].format(index=index)
            if value is None:
                raise UserError(f"{name}: is missing; give {WANTED[field]}")
            if not isinstance(value, TYPES[field]):
                raise UserError(f"{name}: is of type {type(value).__name__}; give {WANTED[field]}")


def batch_of(
    examples: Sequence[Example],
    first: int,
    fields: Collection[str],
    names: Mapping[str, str],
    transform: ImageTransform | None,
    text: TextProcessor | None,
) -> Batch:
    """The batch of some checked examples.

    Args:
        examples: B examples.
        first: the place of the first among all.
        fields: which of "image" and "text" are read.
        names: how messages call the field of an example, with `{index}` in it.
        transform: makes pixels of pictures; None where there are none.
        text: makes tokens of texts; None where there are none.

    Raises:
        UserError: a picture cannot be read.
    """
    batch = Batch(index=torch.arange(first, first + len(examples)))
    if "text" in fields and text is not None:
        texts = [example["text"].replace(MASK, text.mask_token) if text.has_mask else example["text"]
                 for example in examples]  # fmt: skip
        batch.tokens = pad_texts(text.encode(texts), pad_id=text.pad_id)
    if "image" in fields and transform is not None:
        pixels = [
            _pixels(example["image"], transform, names["image"].format(index=index))
            for index, example in enumerate(examples, first)
        ]
        batch.pixels = torch.from_numpy(np.stack(pixels))
    return batch


def _pixels(picture: Picture, transform: ImageTransform, name: str) -> np.ndarray:
    """(3, S, S) uint8 of a picture.

    Raises:
        UserError: it cannot be read.
    """
    whose = name
    data: bytes | Image.Image
    if isinstance(picture, Image.Image | bytes):
        data = picture
    else:
        whose, data = f"{name}: {os.fspath(picture)}", _read(Path(picture), name)
    try:
        return transform(data)
    except BadImage as error:
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
