"""`report`: some runs as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.rules.named_runs import runs_in_words

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings

OF_A_RUN = ("config.json", "command.json", "metrics.csv", "summary.json")  # a report takes runs that lack some of them


def _runs_to_report_on(settings: Settings) -> Iterator[str]:
    if settings.runs is None:
        yield """runs: say which runs to report on, such as 'runs=["result/mlm/1", "result/mlm/2"]'"""
        return
    seen: set[Path] = set()
    for given in settings.runs:
        path = Path(given)
        if not path.is_dir():
            yield f"runs: {given!r}: there is no such folder"
        elif not any((path / name).is_file() for name in OF_A_RUN):
            lacks = f"it has none of {', '.join(OF_A_RUN)}"
            yield f"runs: {given!r} is no run's folder ({lacks}), such as result/mlm/1 is{runs_in_words(path)}"
        elif path.resolve() in seen:
            yield f"runs: {given!r} is named twice"
        seen.add(path.resolve())


COMMAND = CommandDeclaration(
    name="report",
    meaning="""Write one HTML page of runs, that needs no network: with 'runs=["<folder>", "<folder>"]'.""",
    work="renaissance.pages.report:write_report",
    needs=(_runs_to_report_on,),
    builds_a_model=False,
)
