"""The curves of a run as pictures: one PNG a metric, training against validation, the test as a mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from renaissance.tracking.metrics import Point
from renaissance.whole_files import whole_file

COLOURS = {"train": "tab:blue", "val": "tab:orange", "test": "tab:green"}
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test (best checkpoint)"}


def draw_curves(points: Mapping[str, Sequence[Point]], folder: Path) -> list[Path]:
    """Draw every metric `<task>/<split>/<metric>` into `folder/<task>_<metric>.png`.

    Returns:
        the pictures' paths.
    """
    metrics: dict[tuple[str, str], dict[str, Sequence[Point]]] = {}
    for name, series in points.items():
        task, split, metric = name.split("/")
        metrics.setdefault((task, metric), {})[split] = series
    return [_draw_metric(task, metric, series, folder) for (task, metric), series in sorted(metrics.items())]


def _draw_metric(task: str, metric: str, series: Mapping[str, Sequence[Point]], folder: Path) -> Path:
    # A figure of its own rather than pyplot's: no global state, no display, no leak over a long run.
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for split, colour in COLOURS.items():
        if split not in series:
            continue
        steps = [point.step for point in series[split]]
        values = [point.value for point in series[split]]
        if split == "test":
            axes.plot(steps, values, linestyle="", marker="*", markersize=12, color=colour, label=SPLIT_NAMES[split])
        else:
            marker = "o" if len(steps) < 40 else ""
            axes.plot(steps, values, marker=marker, markersize=4, color=colour, label=SPLIT_NAMES[split])
    axes.set_xlabel("optimiser step")
    axes.set_ylabel(metric)
    axes.set_title(f"{task}: {metric}")
    axes.grid(alpha=0.3)
    axes.legend()
    path = folder / f"{task}_{metric}.png"
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return path
