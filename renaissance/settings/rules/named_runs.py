"""What a command needs that reads runs by their folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OF_A_RUN = ("config.json", "command.json", "metrics.csv", "summary.json")


def named_runs(settings: Any) -> Iterator[str]:
    """Faults of `runs`, a line each: none are named, or one is no run's folder or named twice."""

    def is_run(path: Path) -> bool:
        return (path / "config.json").is_file() and (path / "metrics.csv").is_file()

    yield from _faults(settings.runs, "which runs", is_run, "it lacks config.json or metrics.csv")


def named_runs_in_part(settings: Any) -> Iterator[str]:
    """Faults of `runs`, a line each, where a run may lack some of its files: a report is of broken ones, too."""

    def is_run(path: Path) -> bool:
        return any((path / name).is_file() for name in OF_A_RUN)

    yield from _faults(settings.runs, "which runs to report on", is_run, f"it has none of {', '.join(OF_A_RUN)}")


def folders_to_look_in(settings: Any) -> Iterator[str]:
    """Faults of the folders that `runs` names, where a command looks into them or below them."""
    for given in settings.runs or ():
        if not Path(given).is_dir():
            yield _no_folder(given)


def _faults(runs: list[str] | None, which: str, is_run: Callable[[Path], bool], lacks: str) -> Iterator[str]:
    if runs is None:
        yield f"""runs: say {which}, such as 'runs=["result/mlm/1", "result/mlm/2"]'"""
        return
    seen: set[Path] = set()
    for given in runs:
        path = Path(given)
        if not path.is_dir():
            yield _no_folder(given)
        elif not is_run(path):
            yield f"runs: {given!r} is no run's folder ({lacks}), such as result/mlm/1 is{runs_in_words(path)}"
        elif path.resolve() in seen:
            yield f"runs: {given!r} is named twice"
        seen.add(path.resolve())


def _no_folder(given: str) -> str:
    return f"runs: {given!r}: there is no such folder"


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
