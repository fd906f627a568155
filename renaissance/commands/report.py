"""`report`: some runs as one HTML page."""

from __future__ import annotations

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.rules.named_runs import named_runs_in_part

COMMAND = CommandDeclaration(
    name="report",
    meaning="""Write one HTML page of runs, that needs no network: with 'runs=["<folder>", "<folder>"]'.""",
    work="renaissance.pages.report:write_report",
    needs=(named_runs_in_part,),
    builds_a_model=False,
)
