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
        seen = {_place_of(self.path)}
        for place, folders, files in os.walk(self.path, onerror=_stop, followlinks=True):
            folders[:] = [name for name in sorted(folders) if not name.startswith(".")]
            for file in sorted(files):
                if file.lower().endswith(ENDINGS) and not file.startswith("."):
                    yield (Path(place) / file).relative_to(self.path).as_posix()
            new = []
            for name in folders:
                found = _place_of(Path(place) / name)
                if found not in seen:
                    seen.add(found)
                    new.append(name)
            folders[:] = new


def _place_of(folder: Path) -> tuple[int, int]:
    """What is the same for a folder and a link to it."""
    try:
        found = folder.stat()
    except OSError as error:
        raise _unreadable(error) from None
    return found.st_dev, found.st_ino


def _stop(error: OSError) -> NoReturn:
    raise _unreadable(error)


def _unreadable(error: OSError) -> UserError:
    return UserError(f"{error.filename}: this folder cannot be read ({error.strerror})")
