"""The points of runs for a page's charts: columns by metric, thinned where there are many.

Comes in: rows of a run's `metrics.csv` and `pace.csv`, whole or what was added since. Goes out: plain lists by name,
such as JSON holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from renaissance.tracking.csv_rows import count_of, csv_rows
from renaissance.tracking.metrics import Point, split_of
from renaissance.tracking.pace import drawn, pace_rows

MOST_POINTS = 2000  # of a curve on a page; a chart is not that many pixels wide

Columns = dict[str, dict[str, list[Any]]]


def metric_points(lines: Iterable[str]) -> dict[str, list[Point]]:
    """The points of rows of a `metrics.csv` by name, in order; what is no row of one is left out."""
    points: dict[str, list[Point]] = {}
    for row in csv_rows(lines):
        try:
            step, epoch, name, value = row
            point = Point(count_of(step), float(epoch), float(value))
        except ValueError:
            continue
        if split_of(name) and math.isfinite(point.epoch):
            points.setdefault(name, []).append(point)
    return points


def pace_points(lines: Iterable[str]) -> tuple[dict[str, list[Point]], dict[str, list[Any]]]:
    """What rows of a `pace.csv` say: the curves of learning rate, gradient and speed, and when which step was taken.

    Returns:
        the curves by name, such as `pace/train/learning_rate`, and the columns "step" and "seconds".
    """
    curves: dict[str, list[Point]] = {}
    clock: dict[str, list[Any]] = {"step": [], "seconds": []}
    for pace in pace_rows(lines):
        clock["step"].append(pace.step)
        clock["seconds"].append(pace.seconds)
        for name, value in drawn(pace).items():
            curve = name.replace("pace/", "pace/train/")
            curves.setdefault(curve, []).append(Point(pace.step, pace.epoch, value))
    return curves, clock


def columns(points: dict[str, list[Point]]) -> tuple[Columns, bool]:
    """Points as columns by name, and whether any were left out."""
    thinned = {name: thin(series) for name, series in points.items()}
    named: Columns = {
        name: {
            "step": [point.step for point in series],
            "epoch": [point.epoch for point in series],
            "value": [point.value if math.isfinite(point.value) else None for point in series],
        }
        for name, series in thinned.items()
    }
    return named, any(len(thinned[name]) < len(series) for name, series in points.items())


def thin(series: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS of a curve: its ends, and of each stretch between the lowest and the highest point.

    Points that are no number are left out of those between.
    """
    if len(series) <= MOST_POINTS:
        return list(series)
    stretches = (MOST_POINTS - 2) // 2
    inner = len(series) - 2
    kept = [0]
    for number in range(stretches):
        places = range(1 + number * inner // stretches, 1 + (number + 1) * inner // stretches)
        numbers = [place for place in places if math.isfinite(series[place].value)]
        if numbers:
            low, high = (best(numbers, key=lambda place: series[place].value) for best in (min, max))
            kept += sorted({low, high})
    return [series[place] for place in [*kept, len(series) - 1]]
