"""All trackers of a run as one object, which the run tells of its start, metrics, pictures and end.

A run must not end because a service does not answer. So an error of a tracker that is not essential is told once on
standard error, under the tracker's name, and the run goes on. The tracker is still told of what comes later, for a
network may come back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from renaissance.errors import RunError, UserError
from renaissance.tracking.pace import Pace
from renaissance.tracking.trackers.interface import RunStart, Tracker


class Trackers:
    """Hands on what a run does to each of its trackers. Without any, nothing happens.

    Args:
        trackers: in the order in which they are told.
    """

    def __init__(self, trackers: Sequence[Tracker] = ()) -> None:
        self._trackers = list(trackers)
        self._failed: set[str] = set()

    @property
    def names(self) -> list[str]:
        """The names of the trackers, in their order."""
        return [tracker.name for tracker in self._trackers]

    def start(self, run: RunStart) -> None:
        """Tell every tracker that the run starts or goes on.

        Raises:
            UserError: one of them cannot begin.
        """
        run = replace(run, show=self.picture)
        for tracker in self._trackers:
            try:
                tracker.start(run)
            except Exception as error:
                if tracker.essential or isinstance(error, UserError | RunError):
                    raise
                raise UserError(
                    f"tracker {tracker.name}: cannot begin ({_in_words(error)}). Mend that, or leave this tracker out."
                ) from error

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Tell every tracker of metrics by name (`<task>/<split>/<metric>`), at an optimiser step and an epoch."""
        self._tell(lambda tracker: tracker.log(step, epoch, values))

    def pace(self, pace: Pace) -> None:
        """Tell every tracker how the training goes."""
        self._tell(lambda tracker: tracker.pace(pace))

    def picture(self, name: str, path: Path, step: int) -> None:
        """Tell every tracker of a picture."""
        self._tell(lambda tracker: tracker.picture(name, path, step))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Tell every tracker how the run ended, as `summary.json` has it."""
        self._tell(lambda tracker: tracker.finish(summary))

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for tracker in self._trackers:
            try:
                what(tracker)
            except Exception as error:
                if tracker.essential:
                    raise
                self._warn(tracker, error)

    def _warn(self, tracker: Tracker, error: Exception) -> None:
        """Say once for each tracker that it fails."""
        if tracker.name in self._failed:
            return
        self._failed.add(tracker.name)
        print(
            f"warning: tracker {tracker.name}: {_in_words(error)}. The run goes on; further failures of this tracker "
            "are not told.",
            file=sys.stderr,
            flush=True,
        )


def _in_words(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
