"""A sheet of generated texts beside their images: one PNG to look at, one CSV to read on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from renaissance.atomic_files import whole_file, write_csv
from renaissance.tasks.common.sample import Sample

HEADER = ("source", "prefix", "generated", "reference")
COLUMNS = 2  # images in a row, each with its texts on its right
ROW_INCHES = 1.7
LINE_LENGTH = 46  # characters
MOST_LINES = 9
MOST_REFERENCES = 3  # on the picture; the CSV has all


def write_sheet(samples: Sequence[Sample], path: Path, title: str) -> Path:
    """Write `<path>.csv`, a row a reference, and `<path>.png`.

    Returns:
        the picture's path.
    """
    rows = [
        (sample.source, sample.prefix, sample.generated, reference)
        for sample in samples
        for reference in sample.references or ("",)
    ]
    write_csv(path.with_name(path.name + ".csv"), HEADER, rows)
    height = -(-len(samples) // COLUMNS)
    figure = Figure(figsize=(6.5 * COLUMNS, ROW_INCHES * height + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = figure.subplots(height, 2 * COLUMNS, squeeze=False, width_ratios=[1, 2.2] * COLUMNS)
    for place in axes.flat:
        place.set_axis_off()
    for number, sample in enumerate(samples):
        row, column = divmod(number, COLUMNS)
        axes[row][2 * column].imshow(sample.picture)
        axes[row][2 * column + 1].text(
            0, 1, _words(sample), va="top", fontsize=8, parse_math=False, transform=axes[row][2 * column + 1].transAxes
        )
    picture = path.with_name(path.name + ".png")
    with whole_file(picture, durable=False) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
    return picture


def _words(sample: Sample) -> str:
    """The texts of a sample in short lines, as many as there is room for."""
    texts = [f"generated: {sample.generated}", *(f"– {text}" for text in sample.references[:MOST_REFERENCES])]
    if sample.prefix:
        texts.insert(0, f"prefix: {sample.prefix}")
    printable = ["".join(letter if letter.isprintable() else " " for letter in text) for text in texts]
    lines = [line for text in printable for line in textwrap.wrap(text, LINE_LENGTH, subsequent_indent="    ")]
    return "\n".join(lines[:MOST_LINES])
