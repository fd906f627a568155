"""What is drawn of runs, as their folders hold it, and how it is to be drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from renaissance.errors import UserError
from renaissance.settings.groups.curves import CurveSettings
from renaissance.tracking.chance import read_chance
from renaissance.tracking.groups import group_name, seed_groups
from renaissance.tracking.history import read_history
from renaissance.tracking.listed_run import read_listed
from renaissance.tracking.metrics import Point, read_points
from renaissance.tracking.pace import Axis, Pace, first_interval, read_pace
from renaissance.tracking.run_folder import RunFolder


@dataclass(frozen=True)
class RunCurves:
    """What is drawn of a run.

    Attributes:
        points: of its metrics by name, `<task>/<split>/<metric>`.
        pace: the rows of its `pace.csv`.
        chance: what guessing reaches, by the names of metrics.
        interval: what `first_interval` says of the run.
    """

    points: Mapping[str, Sequence[Point]]
    pace: Sequence[Pace] = ()
    chance: Mapping[str, float] = field(default_factory=dict)
    interval: int | None = None


@dataclass(frozen=True)
class Look:
    """How curves are to be drawn.

    Attributes:
        formats: of the files, in which PNG always is.
        smoothing: the weight of what came before in curves of the training, from 0 to below 1.
        axis: what they are drawn over; over steps where a run does not know it.
    """

    formats: tuple[str, ...] = ("png",)
    smoothing: float = 0.0
    axis: Axis = "step"

    @classmethod
    def of_settings(cls, settings: CurveSettings) -> Look:
        """What the settings ask for."""
        formats = dict.fromkeys(("png", *settings.plot_formats))
        return cls(tuple(formats), settings.plot_smoothing, settings.plot_x)

    def axis_of(self, run: RunCurves) -> Axis:
        """What a run's curves are drawn over."""
        return self.axis if run.pace or self.axis == "epoch" else "step"


def read_curves(given: str) -> RunCurves:
    """What is drawn of the run in a folder; values that are no numbers are left out.

    Raises:
        UserError: its metrics or its pace cannot be read, or it has no metrics yet.
    """
    folder = RunFolder(Path(given))
    try:
        read, pace = read_points(folder.metrics), read_pace(folder.pace)
    except (OSError, ValueError) as error:
        raise UserError(f"runs: the curves of {given!r} cannot be read ({error})") from error
    numbers = {name: [point for point in series if math.isfinite(point.value)] for name, series in read.items()}
    points = {name: series for name, series in numbers.items() if series}
    if not points:
        raise UserError(f"runs: {given!r} has no metrics yet; leave it out, or come back when it has trained a while")
    history = read_history(folder)
    interval = first_interval(history.settings if history else {})
    return RunCurves(points, pace, read_chance(folder.chance), interval)


def check_axis(runs: Mapping[str, RunCurves], look: Look) -> None:
    """See that all runs know where their points lie on the axis.

    Raises:
        UserError: naming those that do not.
    """
    unknown = [name for name, run in runs.items() if look.axis_of(run) != look.axis]
    if unknown:
        raise UserError(
            f"plot_x={look.axis}: not known of {', '.join(unknown)}, which trained nothing or before pace.csv came. "
            "Take plot_x=step or epoch, or leave these runs out."
        )


def seeds_together(folders: Mapping[str, str], runs: Mapping[str, RunCurves]) -> dict[str, list[RunCurves]]:
    """Runs by the names under which they are drawn: finished ones that differ in the seed alone are together.

    Args:
        folders: the runs' folders by their names.
        runs: what is drawn of them, by the same names.
    """
    groups = seed_groups([read_listed(Path(folder), name) for name, folder in folders.items()])
    together = {run.name: [one.name for one in group.counted] for group in groups for run in group.counted}
    members = dict.fromkeys(tuple(together.get(name, [name])) for name in runs)
    return {group_name(names): [runs[name] for name in names] for names in members}
