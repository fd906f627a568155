"""A user's own examples: pictures and texts out of memory, not out of tables.

In: examples as dictionaries, `{"image": …, "text": …}`. Out: `ListExamples`, of which batches are made as of tables, or
one `UserError` that names the example and the field at fault.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from renaissance.data.examples.listed import ListExamples
from renaissance.data.examples.schema import ColumnType, DataNeeds, Schema
from renaissance.data.images.files import read_image_file
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError

Picture = str | os.PathLike[str] | bytes | Image.Image
Example = Mapping[str, Any]
FAR = 1e9  # pixels; no box is as far away or as wide. Of NaN and numbers that no float can hold this tells, too
MASK = "[MASK]"  # how users write the mask token, however the tokenizer spells it
TYPES: dict[ColumnType, tuple[type, ...]] = {
    "image": (str, os.PathLike, bytes, Image.Image),
    "text": (str,),
    "boxes": (list, tuple),
}
WANTED: dict[ColumnType, str] = {
    "image": "a path, the bytes of an image file or a PIL image",
    "text": "a text",
    "boxes": "a list of boxes, [left, upper, width, height] in pixels each",
}
Names = Callable[[int, str], str]  # what messages call a field of an example, of its place among all


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


def check_examples(examples: Sequence[Example], fields: Mapping[str, ColumnType], names: Names) -> None:
    """Check that every example has what is read of it, of the right type; the images are not opened.

    Args:
        examples: the examples.
        fields: what is read of each, with its type.
        names: what messages call the field of an example.

    Raises:
        UserError: naming the first that has not.
    """
    for index, example in enumerate(examples):
        if not isinstance(example, Mapping):
            raise UserError(
                f"examples[{index}]: is of type {type(example).__name__}; give a dictionary, such as "
                '{"image": "scene.png", "text": "a red circle"}'
            )
        for field, kind in fields.items():
            value: Any = example.get(field)
            name = names(index, field)
            if value is None:
                raise UserError(f"{name}: is missing; give {WANTED[kind]}")
            if not isinstance(value, TYPES[kind]):
                raise UserError(f"{name}: is of type {type(value).__name__}; give {WANTED[kind]}")
            if kind == "boxes" and not (value and all(_is_box(box) for box in example[field])):
                raise UserError(f"{name}: is no list of boxes; give {WANTED[kind]}")


def _is_box(box: Any) -> bool:
    """Whether it is four numbers of pixels, the last two above 0."""
    sides = list(box) if isinstance(box, list | tuple) else []
    if len(sides) != 4 or any(isinstance(side, bool) or not isinstance(side, int | float) for side in sides):
        return False
    return all(abs(side) < FAR for side in sides) and min(sides[2:]) > 0


def examples_of(
    given: Sequence[Example],
    first: int,
    schema: Schema,
    fields: Mapping[str, ColumnType],
    names: Names,
    text: TextProcessor | None,
) -> ListExamples:
    """Some checked examples as batches are made of, with the files of their images read.

    Args:
        given: the examples.
        first: the place of the first among all.
        schema: the columns that a task knows of such examples.
        fields: those of them that are given, with their types; of the others no example has a value.
        names: what messages call the field of an example.
        text: the tokenizer, which has its own spelling of the mask token; None where there are no texts.

    Raises:
        UserError: a file cannot be read.
    """

    def value(field: str, kind: ColumnType, index: int) -> Any:
        found = given[index][field]
        if kind == "image" and isinstance(found, str | os.PathLike):
            return read_image_file(Path(found), names(first + index, field))
        return found.replace(MASK, text.mask_token) if kind == "text" and text is not None and text.has_mask else found

    def called(index: int, field: str) -> str:
        name, found = names(first + index, field), given[index].get(field)
        return f"{name}: {os.fspath(found)}" if isinstance(found, str | os.PathLike) else name

    values = [{field: value(field, kind, index) for field, kind in fields.items()} for index in range(len(given))]
    needs = DataNeeds(schema, image="image" in fields.values(), text="text" in fields.values())
    return ListExamples(values, needs, names=called)
