"""The tracker that draws a run's curves into `plots/`, and shows the pictures to the other trackers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renaissance.tracking.curves import draw_curves
from renaissance.tracking.metrics import Point, read_points, split_of
from renaissance.tracking.trackers.interface import RunStart, Tracker


class Curves(Tracker):
    """Draws all curves anew at every validation and test, and at the end what came since.

    It begins with what `metrics.csv` holds of a resumed run, so it is told after the tracker that writes that file.
    """

    name = "curves"
    order = 2
    _run: RunStart

    def start(self, run: RunStart) -> None:
        self._run = run
        self._points = read_points(run.folder.metrics)
        self._newest_step = run.resumed_step or 0
        self._drawn = not self._points

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Take in points; draw where they are of a validation or a test."""
        for name, value in values.items():
            self._points.setdefault(name, []).append(Point(step, epoch, float(value)))
        self._newest_step = max(step, self._newest_step)
        self._drawn = self._drawn and not values
        if any(split_of(name) != "train" for name in values):
            self._draw()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Draw what came since the last validation."""
        if not self._drawn:
            self._draw()

    def _draw(self) -> None:
        for path in draw_curves(self._points, self._run.folder.plots):
            self._run.show(f"curves/{path.stem}", path, self._newest_step)
        self._drawn = True


TRACKER = Curves
