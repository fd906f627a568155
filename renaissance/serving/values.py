"""What requests hold, checked: images, texts and boxes, one at a time.

In: values out of JSON or of a form. Out: the bytes of an image file, a text, a list of boxes, as models take them; or a
`Refusal` that names the example and the field. Of an image the head alone is looked at here.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from renaissance.data.examples.schema import ColumnType
from renaissance.data.images.decode import FORMATS
from renaissance.serving.errors import Refusal
from renaissance.serving.limits import MOST_BOXES, MOST_DEPTH_OF_PATH, Limits


@dataclass(frozen=True)
class Place:
    """Where a value stands in its request.

    Attributes:
        example: the place of its example; None where there are no examples.
        field: the field.
    """

    example: int | None
    field: str

    def refusal(self, message: str, status: int = 422) -> Refusal:
        """What the request gets for the value."""
        return Refusal(status, message, example=self.example, field=self.field)


def checked(value: Any, kind: ColumnType, place: Place, limits: Limits) -> Any:
    """A value of an example, as models take it.

    Args:
        value: out of JSON, or the bytes of a file.
        kind: what it has to be: an image, a text or boxes.
        place: where it stands.
        limits: what is allowed.

    Raises:
        Refusal: it is none.
    """
    if kind == "image":
        return image_of(value, place, limits)
    return text_of(value, place, limits) if kind == "text" else boxes_of(value, place)


def text_of(value: Any, place: Place, limits: Limits) -> str:
    """A text that is not too long."""
    if not isinstance(value, str):
        raise place.refusal(f"must be a text, not {json_kind(value)}")
    if len(value) > limits.text:
        raise place.refusal(f"has {len(value):,} characters, and {limits.text:,} are allowed", 413)
    return value


def image_of(value: Any, place: Place, limits: Limits) -> bytes:
    """The bytes of an image file, given as such, in base64, or where the server allows it by name."""
    if isinstance(value, dict):
        data = _named_file(value, place, limits)
    elif isinstance(value, bytes):
        data = value
    elif isinstance(value, str):
        data = _from_base64(value, place)
    else:
        raise place.refusal(f"must be an image file in base64, not {json_kind(value)}")
    try:
        width, height = Image.open(io.BytesIO(data), formats=FORMATS).size
    except Exception:  # Pillow's readers raise anything on damaged bytes
        raise place.refusal("is no image file that can be read; PNG, JPEG, GIF, BMP, WEBP, TIFF and PPM can") from None
    if width * height > limits.pixels:
        raise place.refusal(f"has {width} x {height} pixels, and {limits.pixels:,} are allowed", 413)
    return data


def boxes_of(value: Any, place: Place) -> list[list[float]]:
    """Boxes of four numbers: left, upper, width and height."""
    wanted = "must be a list of boxes, [left, upper, width, height] in pixels each, the last two above 0"
    if not isinstance(value, list) or not value:
        raise place.refusal(wanted)
    if len(value) > MOST_BOXES:
        raise place.refusal(f"has {len(value):,} boxes, and {MOST_BOXES} are allowed", 413)
    for box in value:
        if not isinstance(box, list) or len(box) != 4 or not all(_is_number(side) for side in box) or min(box[2:]) <= 0:
            raise place.refusal(wanted)
    return value


def json_kind(value: Any) -> str:
    """What a value is, in words of JSON."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _is_number(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and math.isfinite(value) and abs(value) < 1e9


def _from_base64(text: str, place: Place) -> bytes:
    head, comma, rest = text.partition(",")
    if comma:
        if not (head.startswith("data:") and head.endswith(";base64")):
            raise place.refusal("must be an image file in base64, plain or as data:image/png;base64,…")
        text = rest
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise place.refusal("is no base64; give an image file in base64, plain or as a data: URL") from None
    if not data:
        raise place.refusal("is empty; give an image file in base64")
    return data


def _named_file(value: dict[str, Any], place: Place, limits: Limits) -> bytes:
    """The bytes of a file in the folder that the server allows: below it, and not by way of a link."""
    name = value.get("path")
    if limits.images is None or set(value) != {"path"} or not isinstance(name, str):
        known = ', or {"path": …}' if limits.images is not None else "; this server opens no files by name"
        raise place.refusal(f"must be an image file in base64{known}")
    nothing = place.refusal("there is no such image file in the server's folder")
    parts = name.split("/")
    if (
        "\0" in name
        or "\\" in name
        or len(parts) > MOST_DEPTH_OF_PATH
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise nothing
    try:
        return _read_below(limits.images, parts, limits.body)
    except (OSError, ValueError):
        raise nothing from None


def _read_below(folder: Path, parts: list[str], most: int) -> bytes:
    """The bytes of a plain file below a folder, each step of the way opened without following links.

    Raises:
        OSError: there is none, or a part of its path is a link.
        ValueError: it is no plain file, or larger than allowed.
    """
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        # Not blocking: opening a pipe would wait for a writer.
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("no plain file")
        data = opened.read(most + 1)
    if len(data) > most:
        raise ValueError("too large")
    return data
