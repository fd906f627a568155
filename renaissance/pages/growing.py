"""What was added to a growing text file since it was last read, without anything kept between two readings.

A reader gets whole lines and a cursor, and hands the cursor in again to go on. A cursor names the place and a hash of
what stands before it: a file that was written anew, as a run that is resumed does with its metrics, is read from its
start, even where it has grown past the old place.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from renaissance.pages.reading import open_inside

BEFORE = 512  # bytes before the place that the hash is of
MOST_BYTES = 16_000_000  # of an answer: hundreds of thousands of rows
CURSOR = re.compile(r"([0-9]{1,15})-([0-9a-f]{32})")


@dataclass(frozen=True)
class Growth:
    """What was added to a file.

    Attributes:
        lines: the whole lines that were added.
        cursor: to be handed in the next time.
        anew: whether they stand for all lines of the file, since there was no cursor or the file is another one.
        shortened: whether they are the newest alone, of more than an answer holds.
    """

    lines: list[str]
    cursor: str
    anew: bool
    shortened: bool = False


def read_on(folder: Path, name: str, cursor: str) -> Growth:
    """Read what was added to a file of a run's folder.

    Args:
        folder: the run's.
        name: of the file; one that is missing is empty.
        cursor: of the reading before; empty, or one that is none, reads from the start.
    """
    try:
        with open_inside(folder, name) as file:
            place = _place(file, cursor)
            newest = os.fstat(file.fileno()).st_size - MOST_BYTES
            shortened = place < newest
            file.seek(max(place, newest))
            content = file.read(MOST_BYTES)
            begin = content.find(b"\n") + 1 if shortened else 0  # the first line has lost its beginning
            whole = content[begin : content.rfind(b"\n") + 1]
            end = max(place, newest) + begin + len(whole)
            lines = whole.decode("utf-8", "replace").splitlines()
            return Growth(lines, f"{end}-{_hash(file, end)}", place == 0 or shortened, shortened)
    except OSError:
        return Growth([], "", anew=True)


def _place(file: IO[bytes], cursor: str) -> int:
    """Where to read on; 0 where the cursor is not one of this file."""
    found = CURSOR.fullmatch(cursor)
    if not found:
        return 0
    place = int(found[1])
    is_there = place <= os.fstat(file.fileno()).st_size
    return place if is_there and _hash(file, place) == found[2] else 0


def _hash(file: IO[bytes], place: int) -> str:
    file.seek(max(place - BEFORE, 0))
    return hashlib.blake2b(file.read(min(place, BEFORE)), digest_size=16).hexdigest()
