"""The launcher that the settings ask for."""

from __future__ import annotations

from renaissance.run_sets.command_line import CommandLine
from renaissance.run_sets.launchers.gpus import places_of
from renaissance.run_sets.launchers.interface import Launcher
from renaissance.run_sets.launchers.local import LocalProcesses
from renaissance.run_sets.set_folder import RunSet
from renaissance.settings import Settings


def launcher_of(settings: Settings, run_set: RunSet, command_line: CommandLine) -> Launcher:
    """What starts the runs of a set.

    Raises:
        UserError: a package is missing, there is no SLURM here, or there are too few GPUs.
    """
    if settings.submit is None:
        return LocalProcesses(run_set, command_line, places_of(settings, settings.runs_at_once))
    from renaissance.run_sets.launchers.jobs import Jobs

    return Jobs.of_set(settings, run_set, command_line)
