"""`runs`: a table of runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _folders(settings: Settings) -> Iterator[str]:
    """Where folders are named, they are there."""
    for given in settings.runs or []:
        if not Path(given).is_dir():
            yield f"runs: {given!r}: there is no such folder"


COMMAND = CommandDeclaration(
    name="runs",
    meaning="""List runs, how they stand and what they reached: with where='status=finished' sort_by=best.""",
    work="renaissance.tracking.runs:show_runs",
    needs=(_folders,),
    builds_a_model=False,
)
