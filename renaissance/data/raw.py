"""Reading raw files as data sets distribute them: found, bounded in size, and kept inside their folder.

Everything here may be damaged or hostile: annotation files name paths, and images come from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renaissance.data.decoding import BadImage, check_image
from renaissance.data.sets.interface import PrepareOptions
from renaissance.data.streams import stream
from renaissance.data.writing import Rejected
from renaissance.errors import UserError

_MOST_IMAGE_BYTES = 64 << 20
_MOST_JSON_BYTES = 4 << 30
_MOST_ITEM_CHARACTERS = 64 << 20  # of a JSON array that is read item by item
_CHUNK = 1 << 20
_SHOWN = 12  # entries of a folder that a message lists


def find_root(options: PrepareOptions, is_root: Callable[[Path], bool], data_set: str, layout: str) -> Path:
    """The data set's folder: `raw_root`, or a folder directly in it.

    Args:
        options: the settings of `prepare`.
        is_root: tells whether a folder is laid out as expected.
        data_set: its name, for the message.
        layout: what is expected, for the message.

    Raises:
        UserError: neither is.
    """
    root = options.raw_root
    if root is not None and root.is_dir():
        folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
        for folder in folders:
            if is_root(folder):
                return folder
    raise UserError(layout_message(root, data_set, layout))


def layout_message(root: Path | None, data_set: str, layout: str) -> str:
    """What was expected and what is there."""
    if root is None:
        found = "raw_root is not set"
    elif not root.is_dir():
        found = f"raw_root={root} is no folder"
    else:
        entries = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
        more = f" and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
        found = f"in raw_root={root} there is: {', '.join(entries[:_SHOWN]) or 'nothing'}{more}"
    lines = "\n".join(f"  {line}" for line in layout.strip().splitlines())
    return (
        f"The raw files of {data_set} are not where they should be: {found}.\n"
        f"Expected there, or in one folder of it:\n{lines}"
    )


def inside(folder: Path, name: str) -> Path:
    """The path `name` (from an annotation file) within `folder`. Raises Rejected when it leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise Rejected("its path leads out of the data set's folder")
    return folder / path


def read_image(path: Path) -> bytes:
    """The bytes of an image file that decodes from beginning to end. Raises Rejected otherwise."""
    try:
        size = path.stat().st_size
        if size > _MOST_IMAGE_BYTES:
            raise Rejected(f"{size:,} bytes, more than {_MOST_IMAGE_BYTES:,}")
        data = path.read_bytes()
        check_image(data)
    except FileNotFoundError:
        raise Rejected("the file is missing") from None
    except (OSError, BadImage) as error:
        raise Rejected(f"the image cannot be read: {error}") from None
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
    """The items of a JSON file that is one large array, one at a time.

    Raises:
        UserError: it is none, or it is cut off.
    """
    decoder = json.JSONDecoder()
    with open(path, encoding="utf-8", errors="strict") as file:
        try:
            buffer = file.read(_CHUNK).lstrip()
            if not buffer.startswith("["):
                raise UserError(f"{path} should be a JSON array of objects.")
            buffer = buffer[1:]
            wanted = _CHUNK
            while True:
                buffer = buffer.lstrip().removeprefix(",").lstrip()
                if buffer.startswith("]"):
                    return
                try:
                    item, end = decoder.raw_decode(buffer)
                    if end == len(buffer):  # a number could go on in the next chunk
                        raise ValueError("more to come")
                except ValueError:
                    more = file.read(wanted)
                    wanted *= 2  # so that a long item is not tried too often
                    if not more or len(buffer) > _MOST_ITEM_CHARACTERS:
                        raise UserError(f"{path} breaks off or is no JSON. Download it again.") from None
                    buffer += more
                    continue
                wanted = _CHUNK
                buffer = buffer[end:]
                yield item
        except (UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"{path} cannot be read as JSON: {error}. Download it again.") from None


def hold_out(rows: int, options: PrepareOptions) -> NDArray[np.bool_]:
    """Which of the training rows become the validation split: (rows,), a share of `val_fraction` drawn by the seed."""
    number = round(rows * options.val_fraction)
    if options.val_fraction > 0:
        number = min(max(number, 1), rows - 1)
    held_out = np.zeros(rows, np.bool_)
    held_out[stream(options.seed, 0, 0, "validation split").permutation(rows)[:number]] = True
    return held_out


def division(options: PrepareOptions) -> dict[str, object]:
    """What decides on a division by `hold_out`, for the tables' metadata."""
    return {"seed": options.seed, "val_fraction": options.val_fraction}


def choose(items: Sequence[Any], chosen: NDArray[np.bool_]) -> list[Any]:
    """The items at which `chosen` (len(items),) is True."""
    return [items[int(place)] for place in np.flatnonzero(chosen)]
