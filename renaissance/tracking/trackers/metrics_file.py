"""The tracker that writes `metrics.csv`. It is essential: what a run did is known from this file alone."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from renaissance.atomic_files import naming_full_disk, to_disk, write_csv
from renaissance.tracking.metrics import HEADER, Point, read_rows, split_of
from renaissance.tracking.trackers.interface import RunStart, Tracker


class MetricsFile(Tracker):
    """Writes a run's metrics as rows.

    Of a file that is there already, from a run that is being resumed, is kept what the interrupted run wrote before
    its checkpoint: rows of the training and of validations. What it wrote afterwards will be written again, and so
    will the rows of every other split, which are of tests.
    """

    name = "metrics_file"
    essential = True
    order = 0
    _path: Path

    def start(self, run: RunStart) -> None:
        self._path = run.folder.metrics
        until = {"train": run.resumed_step or 0, "val": run.validated_step}
        rows = read_rows(self._path) if self._path.is_file() else []
        kept = [_row(name, point) for name, point in rows if point.step <= until.get(split_of(name), -1)]
        write_csv(self._path, HEADER, kept)

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Append values by name.

        Raises:
            DiskFull: there is no room for them. What of them was written is left out when the run is resumed.
        """
        rows = [_row(name, Point(step, epoch, float(value))) for name, value in values.items()]
        with naming_full_disk(self._path), self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        if any(split_of(name) == "val" for name in values):
            to_disk(self._path)  # before the checkpoint that counts this validation


def _row(name: str, point: Point) -> tuple[int, str, str, str]:
    return point.step, f"{point.epoch:.6g}", name, repr(point.value)


TRACKER = MetricsFile
