"""Points as a figure takes them: over the axis that is asked for, smoothed, and no more of them than can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from renaissance.tracking.metrics import Point
from renaissance.tracking.pace import Axis, Pace, along

COLUMNS = 1000  # of pixels that a curve is as wide as, or nearly so


class Series(NamedTuple):
    """A curve: places on the x axis (N,), ascending, and values (N,), all of them finite."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]


def series_of(points: Sequence[Point], axis: Axis, pace: Sequence[Pace]) -> Series:
    """The curve of a metric over an axis; points without a place there are left out, as are values that are no numbers.

    Args:
        points: of one metric, in the order in which they came.
        axis: what is drawn over.
        pace: of the run, for examples and hours.
    """
    if axis == "epoch":
        x = np.array([point.epoch for point in points], np.float64)
    else:
        x = along(pace, [point.step for point in points], axis)
    return _finite(x, np.array([point.value for point in points], np.float64))


def pace_series(pace: Sequence[Pace], name: str, axis: Axis) -> Series:
    """The curve of a column of `pace.csv`, such as "learning_rate"; rows without a value are left out."""
    x = np.array([getattr(row, "seconds" if axis == "hours" else axis) for row in pace], np.float64)
    y = np.array([getattr(row, name) for row in pace], np.float64)  # None becomes not a number
    return _finite(x / 3600 if axis == "hours" else x, y)


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


def thinned(series: Series, columns: int = COLUMNS) -> Series:
    """A curve with the first, lowest, highest and last of the points that fall into each column of pixels.

    What is drawn is the same, spikes included: Jugel et al., 2014 (M4), https://doi.org/10.14778/2732951.2732953.

    Args:
        series: with x ascending.
        columns: how many there are.
    """
    x, y = series
    if len(x) <= 4 * columns or x[-1] <= x[0]:
        return series
    column = np.minimum((x - x[0]) / (x[-1] - x[0]) * columns, columns - 1).astype(np.int64)
    order = np.lexsort((y, column))  # within each column by value
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(x)) - 1
    kept = np.unique(np.concatenate([starts, order[starts], order[ends], ends]))
    return Series(x[kept], y[kept])


def _finite(x: NDArray[np.float64], y: NDArray[np.float64]) -> Series:
    kept = np.isfinite(x) & np.isfinite(y)
    return Series(x[kept], y[kept])
