"""The rows of `metrics.csv` as points by name, and what names mean: the split, and whether more is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from renaissance.tasks.registry import metric_of
from renaissance.tracking.csv_rows import count_of, csv_rows

LESS_IS_BETTER = ("loss", "perplexity")  # ends of the names of undeclared metrics
TRAINING_SPLITS = ("train", "val")  # every other split is one that trained models are tested on
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
    declared = metric_of(task, metric)
    return declared.more_is_better if declared else not metric.endswith(LESS_IS_BETTER)


def best_point(name: str, series: Sequence[Point]) -> Point:
    """The best point of the curve of `<task>/<split>/<metric>`, the first of equals; no number is the worst."""
    sign = 1 if more_is_better(name) else -1
    return max(series, key=lambda point: -math.inf if math.isnan(point.value) else sign * point.value)


def split_of(name: str) -> str:
    """The split of a metric `<task>/<split>/<metric>`; empty where the name is another."""
    parts = name.split("/")
    return parts[1] if len(parts) == 3 else ""


def splits_in_order(names: Iterable[str]) -> list[str]:
    """The splits of metrics `<task>/<split>/<metric>`: train and val first, then the others as they come.

    Only splits that a name has are among them.
    """
    found = dict.fromkeys(split_of(name) for name in names)
    return [split for split in dict.fromkeys((*TRAINING_SPLITS, *found)) if split in found]


def read_rows(path: Path) -> Iterable[tuple[str, Point]]:
    """The rows of a metrics file as (name, point); an unfinished last row is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv_rows(file)
        header = next(rows, [])
        for row in rows:
            cells = dict(zip(header, row, strict=False))
            try:
                yield cells["name"], Point(count_of(cells["step"]), float(cells["epoch"]), float(cells["value"]))
            except (ValueError, KeyError):
                continue


def read_points(path: Path) -> dict[str, list[Point]]:
    """The points of a metrics file by name, `<task>/<split>/<metric>`; empty where there is no file."""
    points: dict[str, list[Point]] = {}
    if path.is_file():
        for name, point in read_rows(path):
            if split_of(name):
                points.setdefault(name, []).append(point)
    return points
