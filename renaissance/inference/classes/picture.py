"""A picture of a confusion matrix: by true class, what share of its examples was taken for which class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from renaissance.atomic_files import whole_file
from renaissance.inference.classes.counts import Confusion

MOST_WITH_NUMBERS = 20  # classes, so that a number fits into a cell
MOST_WITH_NAMES = 100
LONGEST_NAME = 24  # characters
CELL_INCHES, SMALLEST, LARGEST = 0.42, 4.0, 18.0  # of the matrix


def draw_confusion(confusion: Confusion, path: Path, title: str) -> Path:
    """Write the picture (PNG).

    Args:
        confusion: of C classes.
        path: the picture's.
        title: stands above it.
    """
    number = len(confusion.names)
    cell = CELL_INCHES if number <= MOST_WITH_NUMBERS else CELL_INCHES / 2
    side = min(max(cell * number, SMALLEST), LARGEST)
    figure = Figure(figsize=(side + 2.6, side + 2.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    percent = 100 * confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    bar = figure.colorbar(image, ax=axes, shrink=0.7)
    bar.set_label("percent of the class's examples")
    axes.set_title(title, parse_math=False)
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    _name_classes(axes, confusion.names)
    if number <= MOST_WITH_NUMBERS:
        _write_percents(axes, percent)
    with whole_file(path, durable=False) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    return path


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    if len(names) > MOST_WITH_NAMES:
        return
    many = len(names) > MOST_WITH_NUMBERS
    looks: dict[str, Any] = {"fontsize": 6 if many else 9, "parse_math": False}
    turned: dict[str, Any] = {"rotation": 90} if many else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    short = [_short(name) for name in names]
    axes.set_xticks(range(len(names)), short, **turned, **looks)
    axes.set_yticks(range(len(names)), short, **looks)


def _write_percents(axes: Axes, percent: NDArray[np.float64]) -> None:
    """The numbers of the cells, of those that are not 0 when rounded."""
    for (row, column), number in np.ndenumerate(percent):
        if number >= 0.5:
            colour = "white" if number > 50 else "black"
            axes.text(column, row, f"{number:.0f}", ha="center", va="center", fontsize=8, color=colour)


def _short(name: str) -> str:
    """A name that a label has room for, without what no letter stands for."""
    printable = "".join(letter if letter.isprintable() else " " for letter in name)
    return printable if len(printable) <= LONGEST_NAME else printable[: LONGEST_NAME - 1] + "…"
