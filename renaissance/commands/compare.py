"""`compare`: runs side by side."""

from __future__ import annotations

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.rules.named_runs import named_runs

COMMAND = CommandDeclaration(
    name="compare",
    meaning="""Put runs side by side, their curves and their results: with 'runs=["<folder>", "<folder>"]'.""",
    work="renaissance.tracking.compare:compare_runs",
    needs=(named_runs,),
    builds_a_model=False,
)
