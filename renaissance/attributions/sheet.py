"""A sheet of attributions: pictures with their patches coloured, texts with their words shaded; one PNG.

Orange is what the answer rests on, purple what speaks against it, the stronger the darker: Matplotlib's PuOr, whose
lightness changes evenly on both sides and which is told apart with any colour vision. The colours of an example reach
to its strongest patch and its strongest word, whose values stand beside it; where these are weak they stay pale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from renaissance.atomic_files import whole_file
from renaissance.attributions.attribution import Attribution, Grid, Word
from renaissance.data.images.decode import open_image
from renaissance.text_table import printable

COLOURS = matplotlib.colormaps["PuOr_r"]
COLUMNS = 2  # examples in a row
PICTURE, TEXT, HEADING = 1.7, 3.6, 0.5  # inches: a picture's side, the width of the words, a heading's height
LEGEND = 0.55
LINE_LETTERS, LINE_POINTS, LINES = 56, 11.5, 11  # of the words
LETTER_POINTS = 4.6  # the width of a letter of 7 points in DejaVu Sans Mono, hinted
WEAK = 0.5  # what the darkest colour stands for at least, so that what hardly matters does not look as if it did
OPACITY = 0.85  # of the strongest patch
HEADING_LETTERS = 62
SHOWN_PIXELS = 256


@dataclass(frozen=True)
class Explained:
    """An example with what the answer to it rests on.

    Attributes:
        example: as a user would give it.
        right: the right answer in words; empty where it is not known.
        source: where it comes from.
        attribution: what the answer rests on.
    """

    example: dict[str, Any]
    right: str
    source: str
    attribution: Attribution


def write_sheet(explained: Sequence[Explained], path: Path, title: str) -> Path:
    """Write the sheet; gives its path.

    Args:
        explained: the examples, in order.
        path: of the PNG.
        title: stands above it.
    """
    pictures = max((len(one.attribution.patches) for one in explained), default=0)
    with_words = any(one.attribution.words for one in explained)
    cell = 2 * pictures * PICTURE + (TEXT if with_words else 0) + 0.3
    cell = max(cell, TEXT + 0.3)
    rows = -(-len(explained) // COLUMNS)
    height = rows * (PICTURE + HEADING) + LEGEND + 0.4
    figure = Figure(figsize=(COLUMNS * cell, height))
    FigureCanvasAgg(figure)
    figure.text(0.5, 1 - 0.1 / height, title, ha="center", va="top", fontsize=11, parse_math=False)
    for number, one in enumerate(explained):
        row, column = divmod(number, COLUMNS)
        upper = height - 0.4 - row * (PICTURE + HEADING)
        _draw(figure, one, column * cell + 0.1, upper)
    _legend(figure, explained[0].attribution.unit if explained else "")
    with whole_file(path, durable=False) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    return path


def _draw(figure: Figure, one: Explained, left: float, upper: float) -> None:
    """An example, its upper left corner at some inches from the sheet's lower left one."""
    width, height = figure.get_size_inches()
    attribution = one.attribution
    heading = "\n".join(_heading(one))
    figure.text(left / width, upper / height, heading, va="top", fontsize=8, parse_math=False)
    lower = upper - HEADING - PICTURE + 0.1
    for field, grid in attribution.patches.items():
        seen = _seen(one.example[field], attribution.regions[field])
        for draw in (_picture, _patches):
            axes = figure.add_axes((left / width, lower / height, (PICTURE - 0.1) / width, (PICTURE - 0.1) / height))
            axes.set_axis_off()
            draw(axes, seen, grid)
            left += PICTURE
    if attribution.words:
        axes = figure.add_axes((left / width, lower / height, TEXT / width, (PICTURE - 0.1) / height))
        axes.set_axis_off()
        _words(axes, one.example, attribution.words)


def _heading(one: Explained) -> list[str]:
    """What was answered and what is right, and how far the colours reach."""
    found = one.attribution
    sure = "" if found.probability is None else f" ({_percent(found.probability)})"
    lines = [f"says: {_short(found.target, 44)}{sure}"]
    lines.append(f"right: {_short(one.right, 52)}" if one.right else "right: not known")
    reaches = []
    if found.patches:
        values = (value for grid in found.patches.values() for row in grid for value in row)
        reaches.append(f"strongest patch {_strongest(values):+.2g}")
    if found.words:
        reaches.append(f"strongest word {_strongest(word.value for word in found.words):+.2g}")
    return [*lines, ", ".join(reaches)]


def _percent(probability: float) -> str:
    return f"{probability:.1%}" if probability >= 0.001 else "below 0.1%"


def _short(text: str, letters: int) -> str:
    return textwrap.shorten(printable(text), letters, placeholder=" …")


def _strongest(values: Any) -> float:
    return max(values, key=abs, default=0.0)


def _seen(picture: Any, region: tuple[float, float, float, float]) -> Image.Image:
    """The part of a picture that the grid lies over."""
    left, upper, width, height = region
    image = open_image(picture)
    return image.resize((SHOWN_PIXELS, SHOWN_PIXELS), box=(left, upper, left + width, upper + height))


def _picture(axes: Axes, seen: Image.Image, grid: Grid) -> None:
    axes.imshow(seen)


def _patches(axes: Axes, seen: Image.Image, grid: Grid) -> None:
    """The picture in grey, under its patches."""
    values = np.array(grid)
    scale = values / max(float(np.abs(values).max()), WEAK)  # -1 to 1
    colours = COLOURS(0.5 + scale / 2)
    colours[..., 3] = OPACITY * np.abs(scale)
    pale = 64 + np.asarray(seen.convert("L"), dtype=float) * 0.75
    axes.imshow(pale, cmap="gray", vmin=0, vmax=255)
    axes.imshow(colours, extent=(-0.5, SHOWN_PIXELS - 0.5, SHOWN_PIXELS - 0.5, -0.5), interpolation="nearest")


def _words(axes: Axes, example: dict[str, Any], words: Sequence[Word]) -> None:
    """Words in lines, each on its colour; of a long text the lines with the strongest words."""
    strongest = max(WEAK, *(abs(word.value) for word in words))
    lines: list[list[tuple[int, Word]]] = []
    for _, own in groupby(words, key=lambda word: word.field):
        lines += _lines(list(own))
    first = _first_line(lines)
    shown = lines[first : first + LINES]
    axes.set_xlim(0, TEXT * 72)
    axes.set_ylim(-(PICTURE - 0.1) * 72, 0)
    for number, line in enumerate(shown):
        for letter, word in line:
            scale = word.value / strongest
            place, lower = letter * LETTER_POINTS, -LINE_POINTS * (number + 1)
            look: dict[str, Any] = {"facecolor": COLOURS(0.5 + scale / 2), "edgecolor": "none"}
            size = len(word.text) * LETTER_POINTS, LINE_POINTS - 1.5
            axes.add_patch(Rectangle((place, lower + 0.5), *size, **look))
            axes.text(
                place,
                lower + LINE_POINTS / 2,
                printable(word.text),
                fontfamily="DejaVu Sans Mono",
                fontsize=7,
                va="center_baseline",
                color="white" if abs(scale) > 0.7 else "black",
                parse_math=False,
            )
    if len(lines) > LINES:
        rest = f"lines {first + 1} to {first + len(shown)} of {len(lines)}"
        axes.text(TEXT * 72, -LINE_POINTS * (LINES + 0.4), rest, fontsize=6, color="#777777", ha="right", va="center")


def _lines(words: Sequence[Word]) -> list[list[tuple[int, Word]]]:
    """Words with the place of their first letter, in lines; a space where the text has some."""
    lines: list[list[tuple[int, Word]]] = [[]]
    letter, before = 0, None
    for word in words:
        apart = 0 if before is None or word.start == before.end else 1
        if lines[-1] and letter + apart + len(word.text) > LINE_LETTERS:
            lines.append([])
            letter = apart = 0
        lines[-1].append((letter + apart, word))
        letter, before = letter + apart + len(word.text), word
    return lines


def _first_line(lines: Sequence[Sequence[tuple[int, Word]]]) -> int:
    """The first of those successive lines whose words are strongest together."""
    weight = [sum(abs(word.value) for _, word in line) for line in lines]
    starts = range(max(len(lines) - LINES, 0) + 1)
    return max(starts, key=lambda start: sum(weight[start : start + LINES]))


def _legend(figure: Figure, unit: str) -> None:
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.5 - 1.6 / width, 0.33 / height, 3.2 / width, 0.1 / height))
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), COLOURS), cax=axes, orientation="horizontal")
    bar.set_ticks([-1, 0, 1], labels=["speaks against it", "no matter", "the answer rests on it"], fontsize=7)
    figure.text(0.5 + 1.7 / width, 0.38 / height, f"fall of the {unit} where it is covered", fontsize=7, va="center")
