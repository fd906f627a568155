"""`compare`: runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _runs_to_compare(settings: Settings) -> Iterator[str]:
    if settings.runs is None:
        yield """runs: say which runs to compare, such as 'runs=["result/mlm/1", "result/mlm/2"]'"""
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


COMMAND = CommandDeclaration(
    name="compare",
    meaning="""Put runs side by side, their curves and their results: with 'runs=["<folder>", "<folder>"]'.""",
    work="renaissance.tracking.compare:compare_runs",
    needs=(_runs_to_compare,),
    builds_a_model=False,
)
