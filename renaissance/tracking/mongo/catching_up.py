"""A record whose metrics are those of `metrics.csv`, which is what a run did.

A resumed run drops what the interrupted one wrote after its checkpoint, and a killed one may have written a row there
that its journal lacks. When each point was measured is told by the journal, as far as it has it.
"""

from __future__ import annotations

from pathlib import Path

from renaissance.tracking.metrics import read_rows
from renaissance.tracking.mongo.record import Record
from renaissance.tracking.mongo.series import Series


def take_metrics_of(record: Record, path: Path) -> None:
    """Give a record the metrics of a file.

    Args:
        record: what is known of the run.
        path: the run's `metrics.csv`; where there is none, the record stays as it is.
    """
    if not path.is_file():
        return
    times = {name: dict(zip(series.steps, series.times, strict=True)) for name, series in record.series.items()}
    latest = float(record.start["time"])
    record.series = {}
    for name, point in read_rows(path):
        latest = times.get(name, {}).get(point.step, latest)
        record.series.setdefault(name, Series()).add(point.step, point.value, latest)
