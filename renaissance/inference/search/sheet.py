"""A contact sheet of matches: the pictures, the best first, each with its score and a caption; one PNG."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from renaissance.atomic_files import whole_file
from renaissance.text_table import printable

MOST_ON_SHEET = 60
COLUMNS = 4
CELL_WIDTH, PICTURE_HEIGHT, WORDS_HEIGHT = 2.5, 2.1, 0.75  # inches
LINE_LENGTH, MOST_LINES = 34, 3  # of a caption
LONG_LINE = 110  # characters, across the sheet
SIDE = 256  # pixels of a thumbnail, at most


@dataclass(frozen=True)
class Cell:
    """A picture on the sheet.

    Attributes:
        picture: the image.
        heading: a line beneath it, such as "1: 0.83".
        words: beneath that, in as many lines as there is room for.
    """

    picture: Image.Image
    heading: str
    words: str


def draw_sheet(title: str, cells: Sequence[Cell], lines: Sequence[str], path: Path) -> Path:
    """Write the sheet (PNG).

    Args:
        title: above it.
        cells: the pictures, in order; those beyond MOST_ON_SHEET are left out.
        lines: of text beneath all pictures.
        path: the sheet's.
    """
    cells = cells[:MOST_ON_SHEET]
    rows = -(-len(cells) // COLUMNS)
    words_below = 0.2 * (len(lines) + 1) if lines else 0.0
    title = textwrap.fill(printable(title), LONG_LINE - 30, max_lines=3, placeholder=" …")
    top = 0.3 + 0.25 * (title.count("\n") + 1)
    height = top + rows * (PICTURE_HEIGHT + WORDS_HEIGHT) + words_below + 0.1
    figure = Figure(figsize=(COLUMNS * CELL_WIDTH, height))
    FigureCanvasAgg(figure)
    figure.text(0.5, 1 - 0.15 / height, title, ha="center", va="top", fontsize=12, parse_math=False)
    for number, cell in enumerate(cells):
        row, column = divmod(number, COLUMNS)
        lower = height - top - row * (PICTURE_HEIGHT + WORDS_HEIGHT) - PICTURE_HEIGHT
        box = (column / COLUMNS + 0.02, lower / height, 1 / COLUMNS - 0.04, PICTURE_HEIGHT / height)
        _draw(figure.add_axes(box), cell)
    for number, line in enumerate(lines):
        lower = (words_below - 0.2 * (number + 0.5)) / height
        text = textwrap.shorten(printable(line), LONG_LINE, placeholder=" …")
        figure.text(0.02, lower, text, va="center", fontsize=9, parse_math=False)
    with whole_file(path, durable=False) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
    return path


def _draw(axes: Axes, cell: Cell) -> None:
    picture = cell.picture.copy()
    picture.thumbnail((SIDE, SIDE))
    axes.imshow(picture)
    axes.set_axis_off()
    axes.set_anchor("S")
    lines = textwrap.wrap(printable(cell.words), LINE_LENGTH, max_lines=MOST_LINES, placeholder=" …")
    words = "\n".join([printable(cell.heading), *lines])
    axes.annotate(words, (0.5, 0), (0, -3), "axes fraction", textcoords="offset points", ha="center", va="top",
                  fontsize=8, parse_math=False)  # fmt: skip
