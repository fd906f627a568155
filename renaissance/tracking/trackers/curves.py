"""The tracker that draws a run's curves into `plots/`, and shows the pictures to the other trackers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from renaissance.tracking.chance import read_chance
from renaissance.tracking.curves import draw_curves
from renaissance.tracking.drawing.run_curves import Look, RunCurves
from renaissance.tracking.history import read_history
from renaissance.tracking.metrics import Point, read_points, split_of
from renaissance.tracking.pace import Pace, first_interval, read_pace
from renaissance.tracking.trackers.interface import RunStart, Tracker

SHARE = 0.05  # of a run's time that drawing may take
SECONDS_A_DRAWING = 1.0  # taken for the first one


class Curves(Tracker):
    """Draws all curves anew at validations and tests, as PNG; at the end once more, in every format asked for.

    Where validations follow each other quickly some are passed over: drawing takes at most a `SHARE` of the time.

    It begins with what the files of a resumed run hold, so it is told after the trackers that write them.
    """

    name = "curves"
    order = 2
    _run: RunStart

    def start(self, run: RunStart) -> None:
        self._run = run
        self._points = read_points(run.folder.metrics)
        self._pace = read_pace(run.folder.pace)
        history = read_history(run.folder)
        self._interval = first_interval(history.settings if history else {})
        self._newest_step = run.resumed_step or 0
        self._drawn = not self._points
        self._due = time.monotonic() + SECONDS_A_DRAWING / SHARE

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Take in points; draw where they are of a validation or a test, and it is time."""
        for name, value in values.items():
            self._points.setdefault(name, []).append(Point(step, epoch, float(value)))
        self._newest_step = max(step, self._newest_step)
        self._drawn = self._drawn and not values
        if time.monotonic() >= self._due and any(split_of(name) != "train" for name in values):
            self._draw(replace(Look.of_settings(self._run.settings), formats=("png",)))

    def pace(self, pace: Pace) -> None:
        """Take in a row."""
        self._pace.append(pace)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Draw what came since the last validation, and the formats that are for the end."""
        look = Look.of_settings(self._run.settings)
        if not self._drawn or len(look.formats) > 1:
            self._draw(look)

    def _draw(self, look: Look) -> None:
        start = time.monotonic()
        run = RunCurves(self._points, self._pace, read_chance(self._run.folder.chance), self._interval)
        for path in draw_curves(run, self._run.folder.plots, look):
            self._run.show(f"curves/{path.stem}", path, self._newest_step)
        self._drawn = True
        end = time.monotonic()
        self._due = end + (end - start) / SHARE


TRACKER = Curves
