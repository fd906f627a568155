"""Reads files of a run's folder for a page, which anybody may have put there: bounded, and never out of the folder.

A link inside the folder that leads out of it, a pipe, or a file that is too large is not read.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

LARGEST_JSON = 16_000_000  # bytes
LARGEST_LINE = 100_000  # bytes of a line that is shown


def open_inside(folder: Path, name: str) -> IO[bytes]:
    """Open a file of a run's folder.

    Args:
        folder: the run's.
        name: of the file, relative to it.

    Raises:
        OSError: it is not there, cannot be read, lies outside, or is no file.
    """
    path = (folder / name).resolve(strict=True)
    if not path.is_relative_to(folder.resolve()):
        raise OSError(f"{name} is a link out of the run's folder")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is no file")
    return os.fdopen(descriptor, "rb")


def read_bounded(folder: Path, name: str, most: int) -> bytes:
    """The content of a file of a run's folder.

    Raises:
        OSError: it cannot be opened, or has more than `most` bytes.
    """
    with open_inside(folder, name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"{name} has more than {most / 1e6:.0f} MB")
    return content


def read_values(folder: Path, name: str) -> dict[str, Any]:
    """The values of a JSON file by name; empty where there are none that can be read."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(read_bounded(folder, name, LARGEST_JSON))
        if isinstance(content, dict):
            return content
    return {}


def read_lines(folder: Path, name: str) -> list[str]:
    """The whole lines of a text file; none where it cannot be read."""
    try:
        with open_inside(folder, name) as file:
            return [
                line.decode("utf-8", "replace") for line in file if line.endswith(b"\n") and len(line) < LARGEST_LINE
            ]
    except OSError:
        return []


def first_lines(folder: Path, name: str, count: int) -> list[str]:
    """The first lines of a text file; none where it cannot be read."""
    try:
        with open_inside(folder, name) as file:
            lines = [file.readline(LARGEST_LINE) for _ in range(count)]
    except OSError:
        return []
    return [line.decode("utf-8", "replace") for line in lines if line]


def names_inside(folder: Path, below: str, ending: str) -> list[str]:
    """The files with an ending in a folder of a run's folder, as `<below>/<name>`; none where there is none."""
    try:
        found = sorted(entry.name for entry in os.scandir(folder / below) if entry.is_file(follow_symlinks=False))
    except OSError:
        return []
    return [f"{below}/{name}" for name in found if name.endswith(ending) and not name.startswith(".")]
