"""Curves as pictures, one PNG a metric: of one run, training against validation; of several runs, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from renaissance.atomic_files import whole_file
from renaissance.tracking.metrics import TRAINING_SPLITS, Point, splits_in_order

SPLIT_NAMES = {"train": "training", "val": "validation"}  # every other split goes by its own name
# Of the splits beyond training and validation, which have a point each: markers with their names, taken in turn.
MARKERS = {"*": "star", "P": "plus", "X": "cross", "D": "diamond", "^": "triangle", "s": "square"}


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


def draw_comparison(runs: Mapping[str, Mapping[str, Sequence[Point]]], folder: Path) -> list[Path]:
    """Draw every metric of several runs into `folder/<task>_<metric>.png`, a colour a run.

    Args:
        runs: by a run's name its points by their names, `<task>/<split>/<metric>`.
        folder: where the pictures go.

    Returns:
        the pictures' paths.
    """
    names = {name for points in runs.values() for name in points}
    metrics = sorted({(name.split("/")[0], name.split("/")[2]) for name in names})
    return [_draw_runs(task, metric, runs, folder) for task, metric in metrics]


def _draw_runs(task: str, metric: str, runs: Mapping[str, Mapping[str, Sequence[Point]]], folder: Path) -> Path:
    """Validation in full, training pale beneath it, every other split as a marker."""
    figure, axes = _figure()
    splits = splits_in_order(_names_of(task, metric, runs))
    markers = markers_of(splits)
    for number, (run, points) in enumerate(runs.items()):
        colour, dashes = f"C{number % 10}", ("-", "--", ":")[number // 10 % 3]
        of_run = {split: points.get(f"{task}/{split}/{metric}", []) for split in splits}
        if any(of_run.values()):  # a run without this task has no entry in the legend
            axes.plot([], [], dashes, color=colour, label=run)
        for split, series in of_run.items():
            steps, values = [point.step for point in series], [point.value for point in series]
            if split in markers:
                axes.plot(steps, values, linestyle="", marker=markers[split], markersize=12, color=colour)
            elif split == "val":
                axes.plot(steps, values, dashes, marker="o" if len(steps) < 40 else "", markersize=4, color=colour)
            else:
                axes.plot(steps, values, dashes, color=colour, alpha=0.3, linewidth=1)
    told = "".join(f"; {MARKERS[marker]}: {split}" for split, marker in markers.items())
    axes.set_title(f"{task}: {metric} (validation; pale: training{told})")
    return _finish(figure, axes, metric, folder / f"{task}_{metric}.png")


def _names_of(task: str, metric: str, runs: Mapping[str, Mapping[str, Sequence[Point]]]) -> list[str]:
    """The names under which any of the runs has this metric, a name a split."""
    names = [name for points in runs.values() for name in points]
    return [name for name in names if (name.split("/")[0], name.split("/")[2]) == (task, metric)]


def markers_of(splits: Sequence[str]) -> dict[str, str]:
    """Matplotlib's marker of each split beyond training and validation."""
    tested = [split for split in splits if split not in TRAINING_SPLITS]
    return dict(zip(tested, cycle(MARKERS), strict=False))


def _figure() -> tuple[Figure, Axes]:
    """A figure of its own rather than pyplot's: no global state, no display, no leak over a long run."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _finish(figure: Figure, axes: Axes, metric: str, path: Path) -> Path:
    """Label the axes and write the picture."""
    axes.set_xlabel("optimiser step")
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    axes.legend()
    with whole_file(path, durable=False) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return path


def _draw_metric(task: str, metric: str, series: Mapping[str, Sequence[Point]], folder: Path) -> Path:
    figure, axes = _figure()
    splits = splits_in_order(f"{task}/{split}/{metric}" for split in series)
    markers = markers_of(splits)
    trained = series.keys() != markers.keys()  # else the run is a test of a checkpoint that another one trained
    for number, split in enumerate((*TRAINING_SPLITS, *markers)):  # the same colours, whichever splits there are
        if split not in series:
            continue
        steps = [point.step for point in series[split]]
        values = [point.value for point in series[split]]
        colour = f"C{number % 10}"
        if split in markers:
            label = f"{split} ({'best checkpoint' if trained else 'checkpoint of load_path'})"
            axes.plot(steps, values, linestyle="", marker=markers[split], markersize=12, color=colour, label=label)
        else:
            marker = "o" if len(steps) < 40 else ""
            axes.plot(steps, values, marker=marker, markersize=4, color=colour, label=SPLIT_NAMES[split])
    axes.set_title(f"{task}: {metric}")
    return _finish(figure, axes, metric, folder / f"{task}_{metric}.png")
