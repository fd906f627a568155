"""A folder of images as input: every image file in it and below it, in the order of the names, each a row.

Links are followed, but no folder is looked through twice. What is hidden, its name beginning with a dot, is left out:
systems keep their own files there, which are called like images and are none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from renaissance.errors import UserError
from renaissance.predicting.sources.interface import Row, Typing

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")
IMAGE, FILE = "image", "file"  # its columns: the image, and its path from the folder


class ImageFolder:
    """A folder of images (see `Source`). It is looked through once more whenever it is read.

    Args:
        path: the folder.

    Raises:
        UserError: there is no image in it.
    """

    columns: Sequence[str] = (IMAGE, FILE)
    typing: Typing = "texts"
    label_names: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        self.path = self.base = path
        self.position = 0
        digest = hashlib.sha256()
        count = 0
        for name in self._names():
            found = os.stat(path / name, follow_symlinks=True) if (path / name).exists() else None
            stamp = (found.st_size, found.st_mtime_ns) if found else None
            digest.update(f"{name!r} {stamp}\n".encode())
            count += 1
        if not count:
            raise UserError(f"input={str(path)!r}: there is no image in this folder ({', '.join(ENDINGS)})")
        self.rows: int | None = count
        self.size = count
        self._identity = digest.hexdigest()

    def identity(self) -> str:
        """Of the files' names, sizes and times; what is in them is not read."""
        return self._identity

    def iterate(self, columns: Collection[str], start: int) -> Iterator[Row]:
        """Rows from one on."""
        for number, name in enumerate(self._names()):
            self.position = number + 1
            if number >= start:
                values = {IMAGE: name, FILE: name}
                yield Row(number, "", {column: values[column] for column in columns})

    def _names(self) -> Iterator[str]:
        """The paths of the images from the folder: those of a folder by name, then those of the folders in it."""
        seen: set[tuple[int, int]] = set()
        _is_new(self.path, seen)
        for place, folders, files in os.walk(self.path, onerror=_unreadable, followlinks=True):
            inside = (name for name in sorted(folders) if not name.startswith("."))
            folders[:] = [name for name in inside if _is_new(Path(place) / name, seen)]
            for file in sorted(files):
                if file.lower().endswith(ENDINGS) and not file.startswith("."):
                    yield (Path(place) / file).relative_to(self.path).as_posix()


def _is_new(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether neither a folder nor a link to it was seen before; from now on it was."""
    try:
        found = folder.stat()
    except OSError as error:
        _unreadable(error)
    place = found.st_dev, found.st_ino
    new = place not in seen
    seen.add(place)
    return new


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename}: this folder cannot be read ({error.strerror})") from None
