"""What a run printed, bounded: the beginning and the end of it, where all of it would be too long for a record."""

from __future__ import annotations

from renaissance.tracking.mongo.values import valid_text

HEAD_BYTES, TAIL_BYTES = 200_000, 800_000  # far below the 16 MB that MongoDB takes, and quick to open


def bounded(text: str) -> str:
    """A text as it came, or its head and its tail with a note of what was left out between them."""
    if len(text) <= (HEAD_BYTES + TAIL_BYTES) // 4:  # characters take four bytes at most
        return valid_text(text)
    content = text.encode("utf-8", "replace")
    left_out = len(content) - HEAD_BYTES - TAIL_BYTES
    if left_out <= 0:
        return content.decode("utf-8")
    head, tail = content[:HEAD_BYTES].decode("utf-8", "ignore"), content[-TAIL_BYTES:].decode("utf-8", "ignore")
    return f"{head}\n[… {left_out:,} bytes of output are left out here …]\n{tail}"
