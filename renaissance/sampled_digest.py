"""SHA-256 of a file that may be too large to be read to the end: of some of it, then, at equal distances."""

from __future__ import annotations

import os
from typing import Any


def add_file(digest: Any, file: int, size: int, *, whole: int, pieces: int, piece: int) -> bool:
    """Add a file to a digest: its bytes, or its beginning, its end and pieces between.

    Args:
        digest: one of `hashlib`.
        file: the number of an open file.
        size: its bytes.
        whole: of a file of up to so many bytes all are read.
        pieces: how many are read of a larger one.
        piece: their bytes.

    Returns:
        whether all of it was read.
    """
    if size <= whole:
        for place in range(0, size, piece):
            digest.update(os.pread(file, piece, place))
        return True
    for number in range(pieces):
        digest.update(os.pread(file, piece, number * (size - piece) // (pieces - 1)))
    return False
