"""The figures that runs are judged by: of each task the metric that tells its best checkpoint, on every split.

Comes in: a run of a listing. Goes out: values by whole name, `<task>/<split>/<metric>`: of the validation the best one,
of every other split the last. No PyTorch here.
"""

from __future__ import annotations

from renaissance.tasks.registry import own_monitor
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.metrics import TRAINING_SPLITS, best_point, split_of
from renaissance.tracking.metrics_tail import series_of


def figure(run: ListedRun, name: str) -> float | None:
    """A run's value of a metric: of training and validation its best, else its last; None where it has none.

    Args:
        run: the run.
        name: of the metric, `<task>/<split>/<metric>`.
    """
    if split_of(name) not in TRAINING_SPLITS:
        return run.tested.get(name)
    if name == run.monitor:
        return run.best
    try:
        series = series_of(run.folder.metrics, [name]).get(name, [])
    except OSError:
        return None
    return best_point(name, series).value if series else None


def figures(run: ListedRun) -> dict[str, float]:
    """What a run is judged by, by whole name: of each task the validation, then the splits that it was tested on."""
    found: dict[str, float] = {}
    for task in run.tasks:
        metric = judging_metric(run, task)
        names = [f"{task}/val/{metric}", *(name for name in run.tested if _is_of(name, task, metric))]
        values = {name: figure(run, name) for name in names}
        found |= {name: value for name, value in values.items() if value is not None}
    return found


def judging_metric(run: ListedRun, task: str) -> str:
    """The metric that a task of a run is judged by: what the user named, or its own; the loss of an unknown task."""
    if run.monitor.startswith(f"{task}/val/") and " " not in run.monitor:
        return run.monitor.rpartition("/")[2]
    return own_monitor(task)


def _is_of(name: str, task: str, metric: str) -> bool:
    return name.startswith(f"{task}/") and name.endswith(f"/{metric}") and name.count("/") == 2
