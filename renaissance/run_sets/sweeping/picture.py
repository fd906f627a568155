"""Parallel coordinates: an axis for each swept setting and one for the result, a line for each trial."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from renaissance.atomic_files import whole_file
from renaissance.run_sets.member import Trial
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.sweeping.space import Choices, Range, Space

AXIS_INCHES, HEIGHT_INCHES = 2.2, 4.8
MOST_YELLOW = 0.87  # of the colours; further on they are too light for a white page
NAME_LETTERS = 18  # in a line of an axis's name
SPREAD = 0.03  # of the axis's height, by which trials of one value of a list are drawn apart


def draw_parallel(finished: Sequence[Trial], space: Space, objective: Objective, path: Path) -> Path:
    """Draw the trials into a PNG; the best is drawn thick.

    Args:
        finished: the trials, the best first; each with a value.
        space: what was varied.
        objective: what was optimised.
        path: the picture's.

    Returns:
        its path.
    """
    results = [trial.value for trial in finished if trial.value is not None]
    scale = Normalize(min(results), max(results)) if min(results) < max(results) else Normalize(0, 1)
    shades = np.linspace(0, MOST_YELLOW, 256)
    colours = ListedColormap(colormaps["viridis"](shades if objective.more_is_better else shades[::-1]))
    figure = Figure(figsize=(AXIS_INCHES * (len(space) + 1) + 1, HEIGHT_INCHES), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, (name, of) in enumerate(space.items()):
        _draw_axis(axes, place, name, _ticks(of))
    low, high = min(results), max(results)
    _draw_axis(axes, len(space), objective.name, [(_share(value, low, high, False), f"{value:.4g}")
                                                  for value in _steps(low, high)])  # fmt: skip
    for number, trial in reversed(list(enumerate(finished))):
        assert trial.value is not None
        apart = SPREAD * ((number + 0.5) / len(finished) - 0.5) * 2
        heights = [_height(of, trial.values[name], apart) for name, of in space.items()]
        heights.append(_share(trial.value, low, high, False))
        style = {"linewidth": 3.0, "zorder": 3.0} if number == 0 else {"linewidth": 1.3, "alpha": 0.8}
        axes.plot(range(len(heights)), heights, color=colours(scale(trial.value)), **style)  # type: ignore[arg-type]
    axes.set_axis_off()
    axes.set_xlim(-0.3, len(space) + 0.6)
    equal = results.count(results[0])
    first_of = f", the first of {equal} equal" if equal > 1 else ""
    figure.suptitle(f"{len(finished)} trials; thick: the best, trial {finished[0].number}{first_of}")
    better = "more" if objective.more_is_better else "less"
    figure.colorbar(ScalarMappable(scale, colours), ax=axes, label=f"{objective.name} ({better} is better)")
    with whole_file(path, durable=False) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return path


def _draw_axis(axes: Axes, place: int, name: str, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([place, place], [0, 1], color="0.4", linewidth=1, zorder=1)
    axes.text(place, 1.05, _in_lines(name), ha="center", va="bottom", fontsize=9, parse_math=False)
    for height, label in ticks:
        axes.plot([place - 0.02, place + 0.02], [height, height], color="0.4", linewidth=1, zorder=1)
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
        axes.text(place + 0.04, height, label, va="center", fontsize=8, parse_math=False, bbox=box, zorder=4)


def _in_lines(name: str) -> str:
    """A setting's or a metric's name in short lines."""
    return "\n".join(textwrap.wrap(name.replace("_", "_ ").replace("/", "/ "), NAME_LETTERS)).replace(
        "_ ", "_").replace("/ ", "/")  # fmt: skip


def _ticks(of: Choices | Range) -> list[tuple[float, str]]:
    """Heights from 0 to 1 with what stands beside them."""
    if isinstance(of, Choices):
        return [(_place(of, value), _label(value)) for value in of.values]
    values = [of.low, *_between(of), of.high]
    return [(_share(value, of.low, of.high, of.log), f"{value:.3g}") for value in values]


def _between(of: Range) -> list[float]:
    """Powers of ten inside a range by ratios, the middle of one by differences."""
    if not of.log:
        middle = (of.low + of.high) / 2
        return [middle // 1 if of.whole else middle]
    first, last = math.floor(math.log10(of.low)) + 1, math.ceil(math.log10(of.high)) - 1
    return [10.0**power for power in range(first, last + 1)]


def _height(of: Choices | Range, value: float, apart: float) -> float:
    if isinstance(of, Choices):
        return _place(of, value) + apart
    return _share(value, of.low, of.high, of.log)


def _place(of: Choices, value: object) -> float:
    """Where a value of a list stands: the values are equally far apart."""
    texts = [json.dumps(one, sort_keys=True) for one in of.values]
    place = texts.index(json.dumps(value, sort_keys=True))
    return place / (len(texts) - 1) if len(texts) > 1 else 0.5


def _label(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _share(value: float, low: float, high: float, log: bool) -> float:
    if low == high:
        return 0.5
    if log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _steps(low: float, high: float) -> list[float]:
    return [low] if low == high else [low + (high - low) * part / 4 for part in range(5)]
