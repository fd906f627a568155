"""What a training does that this process starts rather than does: a set of seeds, or a run that is submitted."""

from __future__ import annotations

import sys

from renaissance.run_sets.command_line import CommandLine, without_effect
from renaissance.run_sets.seeds import run_seeds
from renaissance.run_sets.submitting import submit_run
from renaissance.settings import Settings


def run_several(settings: Settings, command_line: CommandLine) -> None:
    """Start what the settings ask for, and see to it as long as it needs that.

    Args:
        settings: checked for a training, with `seeds` or `submit`.
        command_line: the one that was given.

    Raises:
        UserError: for a mistake in what the user gave.
        RunError: a run failed.
        Interrupted: after Ctrl-C or SIGTERM.
    """
    for said in without_effect(settings, command_line.given):
        print(f"warning: {said}", file=sys.stderr)
    if settings.seeds is not None:
        run_seeds(settings, command_line)
    else:
        submit_run(settings, command_line)
