"""The form of a figure: made for one column of a paper, to be read by everybody, also in grey.

3.4 inches wide and 8 points for titles and axes, 7 for ticks and legends, so that a figure is set at its own size. The
colours are those of Okabe and Ito, told apart with any colour vision (https://jfly.uni-koeln.de/color/); dashes and
marks tell curves apart without any. Vector files hold their fonts (TrueType in PDF, outlines in SVG). The same points
give the same file.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from renaissance.atomic_files import whole_file
from renaissance.tracking.drawing.axis import dress_axis
from renaissance.tracking.drawing.series import Series, thinned
from renaissance.tracking.pace import Axis

WIDTH, HEIGHT, LEGEND_ROW = 3.4, 2.3, 0.15  # inches
DOTS_PER_INCH = 300  # of PNG
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")
GREY = "#777777"
PALE = 0.3  # opacity of what lies behind
FEW = 40  # points, that are marked each
TITLE_LETTERS, LEGEND_LETTERS = 46, 60  # that fit into a line
HANDLE_LETTERS = 7  # that fit where an entry of the legend has its line
FORM: Any = {  # Matplotlib's own type of it names every parameter that there is
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.4,
    "text.parse_math": False,  # a run's name may hold a $
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "renaissance",
}
UNDATED: dict[str, dict[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


class Picture:
    """One pair of axes with curves, marks and levels, and a legend below them.

    The figure is its own rather than pyplot's: no global state, no display, no leak over a long run.

    Args:
        title: in words.
        axis: what curves are drawn over; the x axis says it in words.
        y: the y axis in words.
    """

    def __init__(self, title: str, axis: Axis, y: str) -> None:
        with matplotlib.rc_context(FORM):
            self.figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
            FigureCanvasAgg(self.figure)
            self.axes = self.figure.add_subplot()
            self.axes.set_title("\n".join(textwrap.wrap(title, TITLE_LETTERS)))
            self.axes.set_ylabel(y)
            self.axes.grid(alpha=PALE)
        self._axis: Axis = axis
        self._entries: list[Line2D] = []

    def curve(self, series: Series, label: str = "", *, colour: str, dashes: str = "-", pale: bool = False,
              marked: bool = False) -> None:  # fmt: skip
        """Draw a curve; one with points and a label has an entry in the legend.

        Args:
            series: the points.
            label: what the legend calls it.
            colour: of the line.
            dashes: of the line.
            pale: it lies behind what is meant to be seen.
            marked: each point has a mark, where they are few.
        """
        if not len(series.x):
            return
        marker = "o" if (marked and len(series.x) < FEW) or len(series.x) == 1 else ""
        look: dict[str, Any] = {"color": colour, "linestyle": dashes, "marker": marker, "markersize": 2.5}
        behind: dict[str, Any] = {"alpha": PALE, "linewidth": 0.8} if pale else {}
        shown = thinned(series)
        self.axes.plot(shown.x, shown.y, **look, **behind, label=label)
        if label:
            self.entry(label, **look, alpha=PALE if pale else 1)

    def mark(self, series: Series, label: str = "", *, colour: str, marker: str) -> None:
        """Draw points that stand alone, such as those of a test; no points have no entry in the legend either."""
        if not len(series.x):
            return
        look: dict[str, Any] = {"color": colour, "linestyle": "", "marker": marker, "markersize": 6}
        look |= {"markeredgecolor": "white", "markeredgewidth": 0.4}
        self.axes.plot(series.x, series.y, **look, label=label)
        if label:
            self.entry(label, **look)

    def band(self, x: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], *, colour: str) -> None:
        """Fill what lies between two curves over the same places (N,)."""
        places = np.union1d(thinned(Series(x, low)).x, thinned(Series(x, high)).x)
        low, high = (np.interp(places, x, one) for one in (low, high))
        self.axes.fill_between(places, low, high, color=colour, alpha=PALE / 1.5, linewidth=0)

    def level(self, value: float, label: str = "", *, colour: str = GREY) -> None:
        """Draw a dotted level from side to side."""
        look: dict[str, Any] = {"color": colour, "linestyle": (0, (1, 1.5)), "linewidth": 0.9}
        self.axes.axhline(value, **look, label=label)
        if label:
            self.entry(label, **look)

    def entry(self, label: str, **look: Any) -> None:
        """Add an entry to the legend."""
        self._entries.append(Line2D([], [], label=label, **look))

    def write(self, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
        """Write `<folder>/<name>.<format>` in each format; gives the paths in the same order."""
        with matplotlib.rc_context(FORM):
            self.finish()
            paths = [folder / f"{name}.{form}" for form in formats]
            for path, form in zip(paths, formats, strict=True):
                with whole_file(path, durable=False) as temporary:
                    self.figure.savefig(temporary, dpi=DOTS_PER_INCH, format=form, metadata=UNDATED[form])
        return paths

    def finish(self) -> None:
        """Give the picture what depends on all that is drawn: the x axis and the legend."""
        dress_axis(self.axes, self._axis)
        self._add_legend()

    def _add_legend(self) -> None:
        """Put the entries below the axes, in as many columns as there is room for."""
        if not self._entries:
            return
        longest = max(len(str(entry.get_label())) for entry in self._entries)
        columns = int(np.clip(LEGEND_LETTERS // (longest + HANDLE_LETTERS), 1, len(self._entries)))
        rows = -(-len(self._entries) // columns)
        self.figure.set_figheight(HEIGHT + LEGEND_ROW * rows)
        self.figure.legend(handles=self._entries, loc="outside lower center", ncols=columns)
