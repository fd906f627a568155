"""The points of a metric as the record keeps them: all of them, or of a long run every second, fourth, eighth.

Omniboard draws a metric from one document, and MongoDB takes no document above 16 MB. So a series never has more than
MOST_POINTS; when one more comes, every second point goes, and of what follows as many. The whole of it is in
`metrics.csv`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

MOST_POINTS = 10_000  # below half a megabyte


class Series:
    """A metric's points, in the order in which they came.

    Attributes:
        steps: optimiser steps.
        values: the metric.
        times: when each was measured, in seconds since the epoch.
        stride: of how many points one is kept.
        count: how many came.
    """

    def __init__(self) -> None:
        self.steps, self.values, self.times = array("q"), array("d"), array("d")
        self.stride = 1
        self.count = 0

    def add(self, step: int, value: float, time: float) -> None:
        """Take in a point."""
        if self.count % self.stride == 0:
            self.steps.append(step)
            self.values.append(value)
            self.times.append(time)
        self.count += 1
        if len(self.steps) > MOST_POINTS:
            self.steps, self.values, self.times = self.steps[::2], self.values[::2], self.times[::2]
            self.stride *= 2

    def __len__(self) -> int:
        return len(self.steps)

    def content(self) -> dict[str, Any]:
        """Everything of it, as JSON can hold it."""
        lists = {"steps": self.steps.tolist(), "values": self.values.tolist(), "times": self.times.tolist()}
        return {"stride": self.stride, "count": self.count, **lists}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Series:
        """The series whose `content` this is."""
        series = cls()
        series.steps, series.values = array("q", content["steps"]), array("d", content["values"])
        series.times = array("d", content["times"])
        series.stride, series.count = int(content["stride"]), int(content["count"])
        if not len(series.steps) == len(series.values) == len(series.times) <= MOST_POINTS or series.stride < 1:
            raise ValueError("no series")
        return series
