"""`search`: the best matches of a text or an image among a table's images and captions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings

PICTURE_FILES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
PATH = re.compile(r".*[/\\].*\.[A-Za-z]{2,4}", re.DOTALL)  # what a path to a file looks like, and a text does not


def _query(settings: Settings) -> Iterator[str]:
    if not settings.load_path:
        yield "load_path: say which checkpoint to use, such as load_path=result/clip_scenes/1/checkpoints/best.ckpt"
    if settings.query is None or not settings.query.strip():
        yield """query: say what to search for: a text, such as 'query="two red circles"', or an image file"""
    elif not os.path.isfile(settings.query) and _is_path(settings.query):
        yield f"query={settings.query!r}: there is no such file"


def _is_path(query: str) -> bool:
    """Whether it is meant for a file, rather than a text."""
    return Path(query).suffix.lower() in PICTURE_FILES or PATH.fullmatch(query.strip()) is not None


COMMAND = CommandDeclaration(
    name="search",
    meaning="Find a table's best matches of a text or an image file: with load_path=<checkpoint> query=<text or file>.",
    work="renaissance.inference.search.search:search",
    needs=(_query,),
    builds_a_model=True,
)
