"""The rows of `metrics.csv`: written as they come, read for curves and summaries."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from renaissance.atomic_files import naming_full_disk, to_disk, write_csv
from renaissance.tasks.registry import declaration_of, task_names

LESS_IS_BETTER = ("loss", "perplexity")  # ends of the names of undeclared metrics
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


def more_is_better(name: str) -> bool:
    """Whether more of a metric is better, as its task declares it.

    Of a task that is not installed, or a metric that its task does not declare, less is better where the name ends
    with "loss" or "perplexity", and more of every other.

    Args:
        name: the whole name, `<task>/<split>/<metric>`.
    """
    task, metric = name.partition("/")[0], name.rpartition("/")[2]
    declared = declaration_of(task).metric(metric) if task in task_names() else None
    return declared.more_is_better if declared else not metric.endswith(LESS_IS_BETTER)


def best_point(name: str, series: Sequence[Point]) -> Point:
    """The best point of the curve of `<task>/<split>/<metric>`, the first of equals; no number is the worst."""
    sign = 1 if more_is_better(name) else -1
    return max(series, key=lambda point: -math.inf if math.isnan(point.value) else sign * point.value)


class MetricsFile:
    """A run's metrics on disk; also in memory, by name, for curves and the summary.

    Args:
        path: the file. Of one that is there already, from a run that is being resumed, is kept what the interrupted
            run wrote before its checkpoint; what it wrote afterwards will be written again, and so will its test.
        resumed_step: the step that training goes on from; 0 for a new run.
        validated_step: the step of the newest validation that the checkpoint counts.
    """

    def __init__(self, path: Path, resumed_step: int = 0, validated_step: int = 0) -> None:
        self._path = path
        self.points: dict[str, list[Point]] = defaultdict(list)
        until = {"train": resumed_step, "val": validated_step, "test": -1}
        rows = read_rows(path) if path.is_file() else []
        kept = [row for row in rows if row[1].step <= until.get(_split(row[0]), resumed_step)]
        write_csv(path, HEADER, [_row(name, point) for name, point in kept])
        for name, point in kept:
            self.points[name].append(point)

    def write(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Append values by name.

        Raises:
            DiskFull: there is no room for them. What of them was written is left out when the run is resumed.
        """
        points = {name: Point(step, epoch, float(value)) for name, value in values.items()}
        with naming_full_disk(self._path), self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(_row(name, point) for name, point in points.items())
        if any(_split(name) == "val" for name in points):
            to_disk(self._path)  # before the checkpoint that counts this validation
        for name, point in points.items():
            self.points[name].append(point)


def _split(name: str) -> str:
    """The split of a metric `<task>/<split>/<metric>`; empty where the name is another."""
    parts = name.split("/")
    return parts[1] if len(parts) == 3 else ""


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
