"""Tables for papers and pages: Markdown, and LaTeX with booktabs, with chosen cells in bold.

Comes in: a header and rows of cells. Goes out: text. What the two languages would take for their own is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from renaissance.text_table import cell_text

MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "–": "--", "×": r"$\times$", "−": "$-$", '"': r"\textquotedbl{}",
}  # fmt: skip
Place = tuple[int, int]  # of a cell: row and column, from 0


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]], bold: Collection[Place] = ()) -> str:
    """A table in GitHub's Markdown.

    Args:
        header: the columns' names.
        rows: cells.
        bold: the places of those in bold.
    """
    lines = [[markdown_escaped(name) for name in header], ["---"] * len(header)]
    for number, row in enumerate(rows):
        cells = [markdown_escaped(cell_text(cell)) for cell in row]
        lines.append([f"**{cell}**" if (number, column) in bold else cell for column, cell in enumerate(cells)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def latex_table(header: Sequence[str], rows: Sequence[Sequence[object]], bold: Collection[Place] = ()) -> str:
    r"""A table for LaTeX, which needs `\usepackage{booktabs}` and `\usepackage[T1]{fontenc}`.

    Args:
        header: the columns' names.
        rows: cells; columns of numbers are aligned to the right.
        bold: the places of those in bold.
    """
    sides = ["r" if rows and all(_numeric(row[column]) for row in rows) else "l" for column in range(len(header))]
    lines = [r"\begin{tabular}{" + "".join(sides) + "}", r"\toprule", _latex_row(header, ()), r"\midrule"]
    for number, row in enumerate(rows):
        lines.append(_latex_row(row, [column for column in range(len(row)) if (number, column) in bold]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def markdown_escaped(text: str) -> str:
    """A text that Markdown shows as it stands."""
    return MARKDOWN.sub(r"\\\1", text)


def latex_escaped(text: str) -> str:
    """A text that LaTeX shows as it stands."""
    return "".join(LATEX.get(letter, letter) for letter in text)


def _latex_row(row: Sequence[object], bold: Collection[int]) -> str:
    cells = [latex_escaped(cell_text(cell)) for cell in row]
    marked = [rf"\textbf{{{cell}}}" if column in bold else cell for column, cell in enumerate(cells)]
    return f"{' & '.join(marked)} \\\\"


def _numeric(cell: object) -> bool:
    """Whether a cell is a number, or a mean with its spread, or there is none."""
    return (
        cell is None or isinstance(cell, int | float) or (isinstance(cell, str) and cell[:1].isdigit() and "±" in cell)
    )
