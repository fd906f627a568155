"""`runs`: a table of runs."""

from __future__ import annotations

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.rules.named_runs import folders_to_look_in

COMMAND = CommandDeclaration(
    name="runs",
    meaning="""List runs, how they stand and what they reached: with where='status=finished' sort_by=best.""",
    work="renaissance.tracking.runs:show_runs",
    needs=(folders_to_look_in,),
    builds_a_model=False,
)
