"""What tells a table's content, by which runs say later whether they read the same: quick for tables of any size.

Comes in: a table's file. Goes out: a short text. Two tables of the same text hold the same, as far as was read: all of
a small file; of a large one its size, its beginning, its end (Arrow's footer, with every batch's place and length) and
pieces at equal distances. A change of a large table that keeps every length and lies between the pieces is not seen.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from renaissance.atomic_files import opened_for_reading
from renaissance.sampled_digest import add_file

WHOLE_BYTES = 32 << 20  # of a file that is read whole
PIECES, PIECE_BYTES = 128, 64 << 10
DIGITS = 16


def content_of(table: Path) -> str:
    """Of a table's file, such as "5d41402abc4b2a76"; of a large one with the word "sampled" before it.

    Raises:
        OSError: it cannot be read.
    """
    with opened_for_reading(table.resolve()) as (file, size):
        digest = hashlib.sha256(str(size).encode())
        whole = add_file(digest, file, size, whole=WHOLE_BYTES, pieces=PIECES, piece=PIECE_BYTES)
    found = digest.hexdigest()[:DIGITS]
    return found if whole else f"sampled {found}"
