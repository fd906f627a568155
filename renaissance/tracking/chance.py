"""What guessing would reach on a split: `chance.json` in a run's folder, `{"<task>/<split>/<metric>": value}`.

A task, or the evaluation of a split, knows it of some metrics. It is kept beside them so that curves can be drawn
without the data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from renaissance.atomic_files import write_json


def read_chance(path: Path) -> dict[str, float]:
    """What guessing reaches, by a metric's whole name; nothing where there is no file that can be read.

    What is no finite number is left out.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    numbers = content.items() if isinstance(content, dict) else ()
    return {name: float(value) for name, value in numbers if _is_finite(value)}


def add_chance(path: Path, values: Mapping[str, float]) -> None:
    """Write values beside those that are there; nothing is written where they are known already.

    Raises:
        DiskFull: there is no room for them.
    """
    known = read_chance(path)
    if not values.items() <= known.items():
        write_json(path, {**known, **values})


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False
