"""Parts of a long `metrics.csv` or `pace.csv`: its end, and the curves of some metrics, in bounded memory.

Comes in: the file of a run, which may be written to at the same time. Goes out: points by name, or a row of the pace.
A row that is not whole is left out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from renaissance.atomic_files import opened_for_reading
from renaissance.tracking.csv_rows import count_of
from renaissance.tracking.metrics import Point, split_of
from renaissance.tracking.pace import Pace, pace_rows

TAIL_BYTES = 16_000  # some hundred rows
PIECE_BYTES = 1_000_000  # that are read at once


def last_points(path: Path) -> dict[str, Point]:
    """The last point of each metric that the end of the file has, by name; empty where there is no file.

    A test's metrics stand there together, and so do the newest of a training and of a validation.

    Args:
        path: the file.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        lines = _last_lines(path)
    except FileNotFoundError:
        return {}
    found: dict[str, Point] = {}
    for line in reversed(lines):
        name = line.split(b",", 3)[2:3]
        if name and name[0].decode(errors="replace") not in found and (row := _point(line)) is not None:
            found[row[0]] = row[1]
    return dict(reversed(found.items()))


def last_pace(path: Path) -> Pace | None:
    """The last whole row of a `pace.csv`; None where there is none, or no file that can be read."""
    try:
        lines = _last_lines(path)
    except OSError:
        return None
    rows = list(pace_rows(line.decode(errors="replace") for line in lines))
    return next((row for row in reversed(rows) if math.isfinite(row.seconds)), None)


def series_of(path: Path, names: Iterable[str]) -> dict[str, list[Point]]:
    """The curves of some metrics; none of those that the file has not.

    Args:
        path: the file; may be missing.
        names: of metrics, `<task>/<split>/<metric>`.

    Raises:
        OSError: it is there and cannot be read.
    """
    try:
        found: dict[str, list[Point]] = {}
        wanted = list(names)
        with opened_for_reading(path) as (file, size):
            for piece in _pieces(file, size):
                _search(piece, wanted, found)
        return found
    except FileNotFoundError:
        return {}


def _last_lines(path: Path) -> list[bytes]:
    """The whole lines at the end of a file."""
    with opened_for_reading(path) as (file, size):
        begin = max(size - TAIL_BYTES, 0)
        lines = os.pread(file, size - begin, begin).split(b"\n")
    # The last line is empty, or not written whole; the first may have lost its beginning.
    return lines[(1 if begin else 0) : -1]


def _pieces(file: int, size: int) -> Iterator[bytes]:
    """The whole lines of a file, some at a time; of one that is longer than a piece, no more than its end."""
    place = 0
    while place < size:
        piece = os.pread(file, min(PIECE_BYTES, size - place), place)
        if not piece:  # the file has become shorter
            return
        end = piece.rfind(b"\n") + 1
        if end:
            yield piece[:end]
        place += end or len(piece)


def _search(content: bytes, names: Iterable[str], found: dict[str, list[Point]]) -> None:
    """Add the points of some metrics that lines have."""
    for name in names:
        cell, place = f",{name},".encode(), 0
        while (place := content.find(cell, place)) >= 0:
            begin, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
            row = _point(content[begin:end]) if end >= 0 else None
            if row is not None and row[0] == name:
                found.setdefault(name, []).append(row[1])
            place += len(cell)


def _point(line: bytes) -> tuple[str, Point] | None:
    """A row as (name, point); None where it is none."""
    try:
        step, epoch, name, value = line.decode().rstrip("\r").split(",")
        return (name, Point(count_of(step), float(epoch), float(value))) if split_of(name) else None
    except ValueError:
        return None
