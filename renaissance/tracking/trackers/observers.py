"""The tracker that hands metrics to Sacred's observers, which the command line's own flags ask for."""

from __future__ import annotations

from collections.abc import Mapping

from renaissance.tracking.trackers.interface import LogScalar, RunStart, Tracker


class Observers(Tracker):
    """Hands every metric on under its name and step."""

    name = "observers"
    _log_scalar: LogScalar

    def start(self, run: RunStart) -> None:
        self._log_scalar = run.log_scalar

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Hand on every value."""
        for name, value in values.items():
            self._log_scalar(name, value, step)


TRACKER = Observers
