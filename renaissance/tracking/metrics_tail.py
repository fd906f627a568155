"""Parts of a long `metrics.csv`, without reading all of it: its end, and the curves of some metrics.

Comes in: the file of a run, which may be written to at the same time. Goes out: points by name. A row that is not
whole is left out.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path

from renaissance.tracking.metrics import Point, split_of

TAIL_BYTES = 64_000


def last_points(path: Path) -> dict[str, Point]:
    """The last point of each metric that the end of the file has, by name; empty where there is no file.

    A test's metrics stand there together, and so do the newest of a training and of a validation.

    Args:
        path: the file.
    """
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - TAIL_BYTES, 0))
        lines = file.read(TAIL_BYTES).split(b"\n")
    # The last is empty, or not written whole; the first may have lost its beginning.
    rows = [_point(line) for line in lines[(1 if size > TAIL_BYTES else 0) : -1]]
    return {row[0]: row[1] for row in rows if row is not None}


def series_of(path: Path, names: Iterable[str]) -> dict[str, list[Point]]:
    """The curves of some metrics; none of those that the file has not.

    Args:
        path: the file; may be missing.
        names: of metrics, `<task>/<split>/<metric>`.
    """
    if not path.is_file() or not path.stat().st_size:
        return {}
    found: dict[str, list[Point]] = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
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
        return (name, Point(int(step), float(epoch), float(value))) if split_of(name) else None
    except ValueError:
        return None
