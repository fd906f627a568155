"""Reading raw files as data sets distribute them: found, bounded in size, and kept inside their folder.

Everything here may be damaged or hostile: annotation files name paths, and images come from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from renaissance.data.images.decode import BadImage, check_image
from renaissance.data.preparing.rejected import Rejected
from renaissance.data.sets.interface import PrepareOptions
from renaissance.data.streams import stream
from renaissance.errors import UserError

Row = TypeVar("Row")

MOST_IMAGE_BYTES = 64 << 20
_MOST_JSON_BYTES = 4 << 30
_MOST_ITEM_CHARACTERS = 64 << 20  # of a JSON array that is read item by item
_CHUNK = 1 << 20
_SHOWN = 12  # entries of a folder that a message lists


def find_root(options: PrepareOptions, is_root: Callable[[Path], bool], data_set: str, layout: str) -> Path:
    """The data set's folder: `raw_root`, or the folder directly in it that is laid out as expected.

    Args:
        options: the settings of `prepare`.
        is_root: tells whether a folder is laid out as expected.
        data_set: its name, for the message.
        layout: what is expected, for the message.

    Raises:
        UserError: neither is, or several folders of `raw_root` are.
    """
    root = options.raw_root
    if root is None or not root.is_dir():
        raise UserError(layout_message(root, data_set, layout))
    if is_root(root):
        return root
    found = [path for path in sorted(root.iterdir()) if path.is_dir() and is_root(path)]
    named = [path for path in found if path.name == options.dataset_name]
    if len(named or found) > 1:
        names = ", ".join(path.name for path in found)
        raise UserError(f"raw_root={root} holds several folders laid out as {data_set}: {names}. Name one of them.")
    if not found:
        raise UserError(layout_message(root, data_set, layout))
    return (named or found)[0]


def layout_message(root: Path | None, data_set: str, layout: str) -> str:
    """What was expected and what is there."""
    if root is None:
        found = "raw_root is not set"
    elif not root.is_dir():
        found = f"raw_root={root} is no folder"
    else:
        entries = sorted(root.iterdir())
        shown = ", ".join(path.name + ("/" if path.is_dir() else "") for path in entries[:_SHOWN]) or "nothing"
        more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
        found = f"in raw_root={root} there is: {shown}{more}"
    lines = "\n".join(f"  {line}" for line in layout.strip().splitlines())
    return (
        f"The raw files of {data_set} are not where they should be: {found}.\n"
        f"Expected there, or in one folder of it:\n{lines}"
    )


def one_spelling(name: str) -> PurePosixPath:
    r"""The path `name` from an annotation file: `a/b`, `a\b`, `./a/b` and `a//b` are the same. It may lead anywhere."""
    return PurePosixPath(name.replace("\\", "/"))


def inside(folder: Path, name: str) -> Path:
    """The path `name` (from an annotation file) within `folder`.

    Symbolic links in the folder are followed: whoever laid out the raw files made them.

    Raises:
        Rejected: it leads out of the folder, or is no name.
    """
    path = one_spelling(name)
    if not path.parts or "\0" in name:
        raise Rejected("its path is no file's name")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:  # the last for Windows
        raise Rejected("its path leads out of the data set's folder")
    return folder / path


def read_image(path: Path) -> bytes:
    """The bytes of an image file that decodes from beginning to end. Raises Rejected otherwise."""
    data = read_file(path, MOST_IMAGE_BYTES)
    try:
        check_image(data)
    except BadImage as error:
        raise Rejected(f"the image cannot be read: {error}") from None
    return data


def read_file(path: Path, most: int) -> bytes:
    """The bytes of a plain file of at most `most` bytes. Raises Rejected otherwise."""
    try:
        if path.is_file():  # a pipe or a device could be read for ever
            with open(path, "rb") as file:
                data = file.read(most + 1)
        else:
            raise Rejected("it is no plain file" if path.exists() else "the file is missing")
    except OSError as error:
        raise Rejected(f"the file cannot be read: {error}") from None
    if len(data) > most:
        raise Rejected(f"it has more than {most:,} bytes")
    return data


def load_json(path: Path, drop: str | None = None) -> Any:
    """A JSON file; with `drop`, the values under that key are left out of every object (to save memory).

    Raises:
        UserError: too large, or no JSON.
    """

    def without(item: dict[str, Any]) -> dict[str, Any]:
        item.pop(str(drop), None)
        return item

    try:
        if path.stat().st_size > _MOST_JSON_BYTES:
            raise UserError(f"{path} is larger than {_MOST_JSON_BYTES:,} bytes, which no annotation file is.")
        with open(path, encoding="utf-8") as file:
            return json.load(file, object_hook=without if drop else None)
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}. Download it again.") from None


def iterate_json_array(path: Path) -> Iterator[Any]:
    """The items of a JSON file that is one large array, one at a time: memory holds a chunk and an item.

    Raises:
        UserError: it is none, or it is cut off.
    """
    try:
        with open(path, encoding="utf-8") as file:
            yield from _array_items(path, file)
    except (UnicodeDecodeError, RecursionError, OSError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}. Download it again.") from None


def _array_items(path: Path, file: TextIO) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    buffer = file.read(_CHUNK)
    place = _skip_space(buffer, 0)
    if not buffer.startswith("[", place):
        raise UserError(f"{path} should be a JSON array of objects.")
    place += 1
    wanted = _CHUNK
    while True:
        start = _skip_space(buffer, place, ",")
        if buffer.startswith("]", start):
            if (buffer[start + 1 :] + file.read(_CHUNK)).strip():
                raise UserError(f"{path} goes on after the end of its array: two files in one? Download it again.")
            return
        try:
            item, place = decoder.raw_decode(buffer, start)
            if place == len(buffer):  # a number could go on in the next chunk
                raise ValueError("more to come")
        except ValueError:
            more = file.read(wanted)
            wanted *= 2  # so that a long item is not tried too often
            if not more or len(buffer) - start > _MOST_ITEM_CHARACTERS:
                raise UserError(f"{path} breaks off or is no JSON. Download it again.") from None
            buffer, place = buffer[start:] + more, 0
            continue
        wanted = _CHUNK
        yield item


def _skip_space(text: str, start: int, also: str = "") -> int:
    """The place of the first character from `start` that is no white space and not in `also`."""
    skipped = " \t\r\n" + also
    while start < len(text) and text[start] in skipped:
        start += 1
    return start


def whole_text(text: str) -> str:
    """The text as it is, but for halves of surrogate pairs: JSON can write them, Arrow cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def hold_out(rows: int, options: PrepareOptions) -> NDArray[np.bool_]:
    """Which of the training rows become the validation split: (rows,), a share of `val_fraction` drawn by the seed.

    Raises:
        UserError: there are not two rows to divide.
    """
    if rows < 2:
        raise UserError(f"{options.raw_root} has {rows} training examples: too few to hold some out for validation.")
    number = min(max(round(rows * options.val_fraction), 1), rows - 1)
    held_out = np.zeros(rows, np.bool_)
    held_out[stream(options.seed, 0, 0, "validation split").permutation(rows)[:number]] = True
    return held_out


def hold_out_validation(splits: dict[Any, list[Row]], options: PrepareOptions) -> dict[str, object]:
    """Where there is no split "val", make some of "train" one.

    Args:
        splits: rows by split; changed in place.
        options: say how many rows, and which.

    Returns:
        what decided on the division, for the tables' metadata; nothing where "val" was there.

    Raises:
        UserError: there are not two rows to divide.
    """
    if "val" in splits:
        return {}
    held_out = hold_out(len(splits["train"]), options)
    splits["val"] = _choose(splits["train"], held_out)
    splits["train"] = _choose(splits["train"], ~held_out)
    return {"seed": options.seed, "val_fraction": options.val_fraction}


def _choose(items: Sequence[Row], chosen: NDArray[np.bool_]) -> list[Row]:
    """The items at which `chosen` (len(items),) is True."""
    return [items[int(place)] for place in np.flatnonzero(chosen)]
