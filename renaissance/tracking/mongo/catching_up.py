"""A record whose metrics are those of `metrics.csv` and `pace.csv`, which is what a run did.

A resumed run drops what the interrupted one wrote after its checkpoint, and a killed one may have written a row there
that its journal lacks. When each point was measured is told by the journal, as far as it has it.
"""

from __future__ import annotations

from collections.abc import Iterator

from renaissance.tracking.metrics import read_rows
from renaissance.tracking.mongo.record import Record
from renaissance.tracking.mongo.series import Series
from renaissance.tracking.pace import drawn, read_pace
from renaissance.tracking.run_folder import RunFolder


def take_metrics_of(record: Record, folder: RunFolder) -> None:
    """Give a record the metrics of a run's folder; where that has none, the record stays as it is."""
    if not folder.metrics.is_file():
        return
    times = {name: dict(zip(series.steps, series.times, strict=True)) for name, series in record.series.items()}
    latest = float(record.start["time"])
    record.series = {}
    for name, step, value in _points(folder):
        latest = times.get(name, {}).get(step, latest)
        record.series.setdefault(name, Series()).add(step, value, latest)


def _points(folder: RunFolder) -> Iterator[tuple[str, int, float]]:
    """Names, steps and values, of each name in the order in which they came."""
    for name, point in read_rows(folder.metrics):
        yield name, point.step, point.value
    for pace in read_pace(folder.pace):
        for name, value in drawn(pace).items():
            yield name, pace.step, value
