"""The rows of `metrics.csv`: written as they come, read for curves and summaries."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renaissance.whole_files import write_csv

LESS_IS_BETTER = frozenset(("loss", "perplexity"))  # of every other metric (accuracy, BLEU, CIDEr, ROUGE) more is
HEADER = ("step", "epoch", "name", "value")


class Point(NamedTuple):
    """One value of one metric.

    Attributes:
        step: optimiser steps taken.
        epoch: how many times the data had been seen.
        value: the metric.
    """

    step: int
    epoch: float
    value: float


def more_is_better(metric: str) -> bool:
    """Whether more of a metric is better; `metric` may be a whole name, `<task>/<split>/<metric>`."""
    return metric.rpartition("/")[2] not in LESS_IS_BETTER


def best_point(metric: str, series: Sequence[Point]) -> Point:
    """The best point of a metric's curve, the first of equals."""
    return (max if more_is_better(metric) else min)(series, key=lambda point: point.value)


class MetricsFile:
    """A run's metrics on disk; also in memory, by name, for curves and the summary.

    Args:
        path: the file. One that is there already, from a run that is being resumed, is kept up to `resumed_step`:
            what the interrupted run wrote after its checkpoint will be written again.
        resumed_step: the step that training goes on from; 0 for a new run.
    """

    def __init__(self, path: Path, resumed_step: int = 0) -> None:
        self._path = path
        self.points: dict[str, list[Point]] = defaultdict(list)
        kept = [row for row in read_rows(path) if row[1].step <= resumed_step] if path.is_file() else []
        write_csv(path, HEADER, [_row(name, point) for name, point in kept])
        for name, point in kept:
            self.points[name].append(point)

    def write(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Append values by name."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for name, value in values.items():
                point = Point(step, epoch, float(value))
                writer.writerow(_row(name, point))
                self.points[name].append(point)


def _row(name: str, point: Point) -> tuple[int, str, str, str]:
    return point.step, f"{point.epoch:.6g}", name, repr(point.value)


def read_rows(path: Path) -> Iterable[tuple[str, Point]]:
    """The rows of a metrics file as (name, point); an unfinished last row is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                yield row["name"], Point(int(row["step"]), float(row["epoch"]), float(row["value"]))
            except (TypeError, ValueError, KeyError):
                continue
