"""What a command needs that reads runs by their folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def named_runs(settings: Any) -> Iterator[str]:
    """Faults of `runs`, a line each: none are named, or one is no run's folder or named twice."""
    if settings.runs is None:
        yield """runs: say which runs, such as 'runs=["result/mlm/1", "result/mlm/2"]'"""
        return
    seen: set[Path] = set()
    for given in settings.runs:
        path = Path(given)
        if not path.is_dir():
            yield f"runs: {given!r}: there is no such folder"
        elif not (path / "config.json").is_file() or not (path / "metrics.csv").is_file():
            yield f"runs: {given!r} is no run's folder (it lacks config.json or metrics.csv), such as result/mlm/1 is"
        elif path.resolve() in seen:
            yield f"runs: {given!r} is named twice"
        seen.add(path.resolve())
