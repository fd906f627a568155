"""Curves as pictures, one PNG a metric: of one run, training against validation; of several runs, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from renaissance.atomic_files import whole_file
from renaissance.tracking.metrics import Point

COLOURS = {"train": "tab:blue", "val": "tab:orange", "test": "tab:green"}
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}


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
    """Validation in full, training pale beneath it, the test as a star."""
    figure, axes = _figure()
    for number, (run, points) in enumerate(runs.items()):
        colour, dashes = f"C{number % 10}", ("-", "--", ":")[number // 10 % 3]
        splits = {split: points.get(f"{task}/{split}/{metric}", []) for split in ("train", "val", "test")}
        if any(splits.values()):  # a run without this task has no entry in the legend
            axes.plot([], [], dashes, color=colour, label=run)
        for split, series in splits.items():
            steps, values = [point.step for point in series], [point.value for point in series]
            if split == "test":
                axes.plot(steps, values, linestyle="", marker="*", markersize=12, color=colour)
            elif split == "val":
                axes.plot(steps, values, dashes, marker="o" if len(steps) < 40 else "", markersize=4, color=colour)
            else:
                axes.plot(steps, values, dashes, color=colour, alpha=0.3, linewidth=1)
    axes.set_title(f"{task}: {metric} (validation; pale: training; star: test)")
    return _finish(figure, axes, metric, folder / f"{task}_{metric}.png")


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
    for split, colour in COLOURS.items():
        if split not in series:
            continue
        steps = [point.step for point in series[split]]
        values = [point.value for point in series[split]]
        if split == "test":
            trained = series.keys() != {"test"}  # else the run is a test of a checkpoint that another one trained
            label = f"{SPLIT_NAMES[split]} ({'best checkpoint' if trained else 'checkpoint of load_path'})"
            axes.plot(steps, values, linestyle="", marker="*", markersize=12, color=colour, label=label)
        else:
            marker = "o" if len(steps) < 40 else ""
            axes.plot(steps, values, marker=marker, markersize=4, color=colour, label=SPLIT_NAMES[split])
    axes.set_title(f"{task}: {metric}")
    return _finish(figure, axes, metric, folder / f"{task}_{metric}.png")
