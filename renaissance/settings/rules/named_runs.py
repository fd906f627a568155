"""What a command needs that reads runs by their folders."""

from __future__ import annotations

import json
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
            lacks = "it lacks config.json or metrics.csv"
            yield f"runs: {given!r} is no run's folder ({lacks}), such as result/mlm/1 is{runs_in_words(path)}"
        elif path.resolve() in seen:
            yield f"runs: {given!r} is named twice"
        seen.add(path.resolve())


def runs_in_words(folder: Path) -> str:
    """How to name the runs of a folder that is none itself, for the end of a message; empty where it has none.

    Args:
        folder: of a set of seeds or a sweep, whose `set.json` names its runs; or of an experiment, which they lie in.
    """
    try:
        record = json.loads((folder / "set.json").read_text(encoding="utf-8"))
        found = [run["folder"] for run in record["runs"] if isinstance(run["folder"], str)]
    except (OSError, ValueError, TypeError, KeyError):
        numbered = [path for path in folder.iterdir() if path.name.isdecimal() and (path / "config.json").is_file()]
        found = [str(path) for path in sorted(numbered, key=lambda path: int(path.name))]
    return f"; its runs are named by 'runs={json.dumps(found, ensure_ascii=False)}'" if found else ""
