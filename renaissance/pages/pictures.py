"""Pictures of a run inside a page: drawn again in a bounded size, as a data URI.

A picture of a run's folder may be anything. Here it is decoded and encoded anew, so a page holds pixels alone.
"""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from renaissance.pages.reading import read_bounded

LARGEST_FILE = 40_000_000  # bytes
LARGEST_PIXELS = 60_000_000
WIDEST = 1300  # pixels of a picture on a page
TALLEST = 4000
FORMATS = ("PNG", "JPEG")


@dataclass(frozen=True)
class Picture:
    """A picture for a page.

    Attributes:
        uri: its data URI.
        width: its width on the page, in pixels.
        height: its height.
        reduced: whether it is smaller than its file.
    """

    uri: str
    width: int
    height: int
    reduced: bool


def picture_inside(folder: Path, name: str) -> Picture | None:
    """A picture of a run's folder; None where it is none, or too large to be read.

    Args:
        folder: the run's.
        name: of the file, relative to it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(read_bounded(folder, name, LARGEST_FILE)), formats=FORMATS) as opened:
                if opened.width * opened.height > LARGEST_PIXELS:
                    return None
                image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    width = image.width
    image.thumbnail((WIDEST, TALLEST))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    uri = f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
    return Picture(uri, image.width, image.height, image.width < width)
