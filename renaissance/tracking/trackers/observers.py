"""The tracker that hands metrics to Sacred's observers, which the command line's own flags ask for."""

from __future__ import annotations

from collections.abc import Mapping

from renaissance.tracking.pace import Pace, drawn
from renaissance.tracking.trackers.interface import LogScalar, RunStart, Tracker


class Observers(Tracker):
    """Hands every metric on under its name and step, and the learning rate and the like as `pace/<name>`."""

    name = "observers"
    _log_scalar: LogScalar

    def start(self, run: RunStart) -> None:
        self._log_scalar = run.log_scalar

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Hand on every value."""
        for name, value in values.items():
            self._log_scalar(name, value, step)

    def pace(self, pace: Pace) -> None:
        """Hand on learning rate, gradient norm and speed."""
        for name, value in drawn(pace).items():
            self._log_scalar(name, value, pace.step)


TRACKER = Observers
