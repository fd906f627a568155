"""The x axis of a figure: its words, and numbers that are read as they stand.

Steps and examples from a thousand on are short ("20k"), epochs and times are plain. Points over hours are always in
hours; where none lies at an hour or later, the axis tells minutes or seconds, and its words name them.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from renaissance.tracking.drawing.words import AXES, TIME_AXIS
from renaissance.tracking.pace import Axis

TICKS = 6  # intervals at most
LARGE = 1000  # from here on steps and examples are short
# From how many hours on, the unit, and how many of it are an hour.
UNITS = ((1.0, "hours", 1), (1 / 60, "minutes", 60), (0.0, "seconds", 3600))


class ScaledLocator(MaxNLocator):
    """Ticks at round numbers of another unit than that of the points.

    Args:
        factor: how many of it are one of the points'.
    """

    def __init__(self, factor: float) -> None:
        super().__init__(TICKS)
        self.factor = factor

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Where ticks lie between two places, in the points' unit."""
        return [tick / self.factor for tick in super().tick_values(vmin * self.factor, vmax * self.factor)]


def dress_axis(axes: Axes, axis: Axis) -> None:
    """Give the x axis its words and its ticks, once all points are drawn.

    Args:
        axes: with the points in hours where the axis is of hours.
        axis: what they are drawn over.
    """
    axes.set_xlabel(AXES[axis])
    if axis == "hours":
        last = axes.dataLim.x1
        unit, factor = next((name, factor) for least, name, factor in UNITS if last >= least or not least)
        axes.set_xlabel(TIME_AXIS.format(unit=unit))
        axes.xaxis.set_major_locator(ScaledLocator(factor))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place * factor:.6g}"))
    elif axis == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(TICKS))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place:.6g}"))
    else:
        short = EngFormatter(sep="")
        axes.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda place, _: short(place) if abs(place) >= LARGE else f"{place:.6g}")
        )
