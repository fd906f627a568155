"""Parts of a long `metrics.csv`, without reading all of it: its end, and the curves of some metrics.

Comes in: the file of a run, which may be written to at the same time. Goes out: points by name. A row that is not
whole is left out.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path

from renaissance.atomic_files import opened_for_reading
from renaissance.tracking.csv_rows import count_of
from renaissance.tracking.metrics import Point, split_of

TAIL_BYTES = 16_000  # some hundred rows
SMALL_BYTES = 1_000_000  # up to here a file is read at once


def last_points(path: Path) -> dict[str, Point]:
    """The last point of each metric that the end of the file has, by name; empty where there is no file.

    A test's metrics stand there together, and so do the newest of a training and of a validation.

    Args:
        path: the file.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        with opened_for_reading(path) as (file, size):
            begin = max(size - TAIL_BYTES, 0)
            lines = os.pread(file, size - begin, begin).split(b"\n")
    except FileNotFoundError:
        return {}
    found: dict[str, Point] = {}
    # The last line is empty, or not written whole; the first may have lost its beginning.
    for line in reversed(lines[(1 if begin else 0) : -1]):
        name = line.split(b",", 3)[2:3]
        if name and name[0].decode(errors="replace") not in found and (row := _point(line)) is not None:
            found[row[0]] = row[1]
    return dict(reversed(found.items()))


def series_of(path: Path, names: Iterable[str]) -> dict[str, list[Point]]:
    """The curves of some metrics; none of those that the file has not.

    Args:
        path: the file; may be missing.
        names: of metrics, `<task>/<split>/<metric>`.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        with opened_for_reading(path) as (file, size):
            if size <= SMALL_BYTES:
                return _search(os.pread(file, size, 0), names)
            with mmap.mmap(file, size, access=mmap.ACCESS_READ) as content:
                return _search(content, names)
    except FileNotFoundError:
        return {}


def _search(content: bytes | mmap.mmap, names: Iterable[str]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for name in names:
        cell, place = f",{name},".encode(), 0
        while (place := content.find(cell, place)) >= 0:
            begin, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
            row = _point(content[begin:end]) if end >= 0 else None
            if row is not None and row[0] == name:
                found.setdefault(name, []).append(row[1])
            place += len(cell)
    return found


def _point(line: bytes) -> tuple[str, Point] | None:
    """A row as (name, point); None where it is none."""
    try:
        step, epoch, name, value = line.decode().rstrip("\r").split(",")
        return (name, Point(count_of(step), float(epoch), float(value))) if split_of(name) else None
    except ValueError:
        return None
