"""Curves of a test's run as blank pictures: drawing them takes three quarters of the time of a run of few steps.

The same files come to be, under the same names and by the same way; only what is on them is missing. How curves look is
in `tests/tracking/test_curves.py`; `tests/training/test_runs.py` and the documented commands draw a run's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from renaissance.atomic_files import whole_file
from renaissance.tracking.drawing.figure import Picture


@contextmanager
def blank_pictures() -> Iterator[None]:
    """Leave curves undrawn while the block runs: each file is a picture of one point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Picture, "write", _blank)
        yield


def _blank(picture: Picture, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    paths = [folder / f"{name}.{form}" for form in formats]
    for path in paths:
        with whole_file(path, durable=False) as temporary:
            Image.new("L", (1, 1)).save(temporary, format="PNG")
    return paths
