"""A user's own image files, read whole and bounded in size."""

from __future__ import annotations

from pathlib import Path

from renaissance.errors import UserError

MOST_BYTES = 100_000_000


def read_image_file(path: Path, name: str) -> bytes:
    """The bytes of an image file, which are not looked at.

    Args:
        path: the file.
        name: what messages call the value that names it.

    Raises:
        UserError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        raise UserError(f"{name}: {path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) > MOST_BYTES:
        raise UserError(f"{name}: {path} is larger than {MOST_BYTES:,} bytes; give a smaller image")
    return data
