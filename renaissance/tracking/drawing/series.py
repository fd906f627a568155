"""Points as a figure takes them: over the axis that is asked for, smoothed, and no more of them than can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from renaissance.tracking.metrics import Point
from renaissance.tracking.pace import Axis, Pace, along

COLUMNS = 1000  # of pixels that a curve is as wide as, or nearly so


class Series(NamedTuple):
    """A curve: places on the x axis (N,), ascending, and values (N,), all finite; and the optimiser steps of these."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    steps: NDArray[np.int64] = np.zeros(0, np.int64)


def series_of(points: Sequence[Point], axis: Axis, pace: Sequence[Pace], interval: int | None = None) -> Series:
    """The curve of a metric over an axis; points without a place there are left out, as are values that are no numbers.

    Args:
        points: of one metric, in the order in which they came.
        axis: what is drawn over.
        pace: of the run, for examples and hours.
        interval: what `first_interval` says of the run, for hours.
    """
    if axis == "epoch":
        x = np.array([point.epoch for point in points], np.float64)
    else:
        x = along(pace, [point.step for point in points], axis, interval)
    return _finite(x, [point.value for point in points], [point.step for point in points])


def pace_series(pace: Sequence[Pace], name: str, axis: Axis) -> Series:
    """The curve of a column of `pace.csv`, such as "learning_rate"; rows without a value are left out."""
    x = np.array([getattr(row, "seconds" if axis == "hours" else axis) for row in pace], np.float64)
    x = x / 3600 if axis == "hours" else x
    return _finite(x, [getattr(row, name) for row in pace], [row.step for row in pace])


def smoothed(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """An exponential running mean (N,) of values (N,), without the pull to zero of its beginning.

    Source: TensorBoard's, which divides by what the weights have summed up to, as Adam does (Kingma and Ba, 2015,
    https://arxiv.org/abs/1412.6980, section 3).

    Args:
        values: all of them finite.
        weight: of what came before, from 0 (no smoothing) to below 1.
    """
    if not weight:
        return values
    means = list(accumulate(values.tolist(), lambda mean, value: weight * mean + (1 - weight) * value, initial=0.0))[1:]
    return np.array(means, np.float64) / (1 - weight ** np.arange(1, len(values) + 1))


class Spread(NamedTuple):
    """Curves of runs that differ in the seed alone: their mean, and the standard deviation (N,) where they are more."""

    mean: Series
    deviation: NDArray[np.float64] | None


def mean_and_spread(curves: Sequence[Series]) -> Spread:
    """The mean of curves at the steps that all of them have; places are means too, such as hours."""
    if len(curves) < 2:
        return Spread(curves[0] if curves else Series(np.zeros(0), np.zeros(0)), None)
    steps = reduce(np.intersect1d, [curve.steps for curve in curves])
    places = [np.searchsorted(curve.steps, steps) for curve in curves]
    x, y = (np.stack([curve[part][at] for curve, at in zip(curves, places, strict=True)]) for part in (0, 1))
    return Spread(Series(x.mean(axis=0), y.mean(axis=0), steps), y.std(axis=0, ddof=1))


def thinned(series: Series, columns: int = COLUMNS) -> Series:
    """A curve with the first, lowest, highest and last of the points that fall into each column of pixels.

    What is drawn is the same, spikes included: Jugel et al., 2014 (M4), https://doi.org/10.14778/2732951.2732953.

    Args:
        series: with x ascending.
        columns: how many there are.
    """
    x, y = series.x, series.y
    if len(x) <= 4 * columns or x[-1] <= x[0]:
        return series
    column = np.minimum((x - x[0]) / (x[-1] - x[0]) * columns, columns - 1).astype(np.int64)
    order = np.lexsort((y, column))  # within each column by value
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(x)) - 1
    kept = np.unique(np.concatenate([starts, order[starts], order[ends], ends]))
    return Series(x[kept], y[kept])


def _finite(x: NDArray[np.float64], values: Sequence[float | None], steps: Sequence[int]) -> Series:
    y = np.array(values, np.float64)  # None becomes not a number
    kept = np.isfinite(x) & np.isfinite(y)
    return Series(x[kept], y[kept], np.array(steps, np.int64)[kept])
