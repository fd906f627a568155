"""`plot`: the curves of runs drawn again, without training."""

from __future__ import annotations

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.rules.named_runs import named_runs

COMMAND = CommandDeclaration(
    name="plot",
    meaning="""Draw the curves of runs again, for a paper: with 'runs=["<folder>"]' plot_formats='["pdf"]'.""",
    work="renaissance.tracking.plot:plot_runs",
    needs=(named_runs,),
    builds_a_model=False,
)
