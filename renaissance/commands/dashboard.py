"""`dashboard`: the runs below a folder, as they go on, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _a_folder_of_runs(settings: Settings) -> Iterator[str]:
    if not Path(settings.log_dir).is_dir():
        yield f"log_dir: {settings.log_dir!r}: there is no such folder; name the one that runs go to"


COMMAND = CommandDeclaration(
    name="dashboard",
    meaning="Show the runs of log_dir in a browser, as they go on: with log_dir=<folder> dashboard_port=<number>.",
    work="renaissance.pages.dashboard:serve_dashboard",
    needs=(_a_folder_of_runs,),
    builds_a_model=False,
)
