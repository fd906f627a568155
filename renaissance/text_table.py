"""Values and tables in plain text, for the terminal: columns aligned, numbers to the right."""

from __future__ import annotations

import json
from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as text; cells that are numbers are aligned to the right.

    Args:
        header: the columns' names.
        rows: cells; floats are shown with four significant digits, integers with thousands separated, and texts
            without what would leave their line or command the terminal.
    """
    cells = [[cell_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(header), *cells]) for column in range(len(header))]
    right = [bool(rows) and all(isinstance(row[column], int | float) or row[column] is None for row in rows)
             for column in range(len(header))]  # fmt: skip
    lines = [_line(header, widths, right), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, right) for row in cells]
    return "\n".join(lines)


def value_text(value: object) -> str:
    """A setting's value in words: a text as it stands, anything else in JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    aligned = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(aligned).rstrip()


def cell_text(cell: object) -> str:
    """A cell as it is shown: floats with four significant digits, integers with thousands separated."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return printable(str(cell))


def printable(text: str) -> str:
    """A text with a space in place of line ends, terminal commands and all else that cannot be printed."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
