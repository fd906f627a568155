"""The tracker that writes `pace.csv`: examples, time, learning rate, gradient norm and speed beside the metrics."""

from __future__ import annotations

import csv
from pathlib import Path

from renaissance.atomic_files import naming_full_disk, write_csv
from renaissance.tracking.pace import HEADER, Pace, read_pace
from renaissance.tracking.trackers.interface import RunStart, Tracker


class PaceFile(Tracker):
    """Writes a row at each point of a training's curves.

    Of a file that is there already, from a run that is being resumed, is kept what the interrupted run wrote before its
    checkpoint. A run that trains nothing has no such file.
    """

    name = "pace_file"
    essential = True
    order = 0
    _path: Path

    def start(self, run: RunStart) -> None:
        self._path = run.folder.pace
        if run.total_steps is not None:
            kept = [_row(pace) for pace in read_pace(self._path) if pace.step <= (run.resumed_step or 0)]
            write_csv(self._path, HEADER, kept)

    def pace(self, pace: Pace) -> None:
        """Append a row.

        Raises:
            DiskFull: there is no room for it.
        """
        with naming_full_disk(self._path), self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(_row(pace))


def _row(pace: Pace) -> tuple[str, ...]:
    texts = pace._replace(epoch=float(f"{pace.epoch:.6g}"), seconds=round(pace.seconds, 3))
    return tuple("" if value is None else repr(value) for value in texts)


TRACKER = PaceFile
