"""Runs side by side: their curves in one picture a metric, their results and what they were told in one table.

Comes in: the folders of runs, finished or not. Goes out: a new numbered folder with a PNG a metric, `comparison.csv`
and what groups of seeds tell (`group_comparison.py`), and the same tables on the terminal. No PyTorch here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renaissance.atomic_files import write_csv
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.settings.defaults import default_settings
from renaissance.settings.earlier import with_schedule
from renaissance.settings.marked import read_by_commands
from renaissance.tasks.registry import own_monitor
from renaissance.text_table import text_table, value_text
from renaissance.tracking.curves import draw_comparison
from renaissance.tracking.drawing.run_curves import Look, RunCurves, check_axis, read_curves, seeds_together
from renaissance.tracking.group_comparison import compare_groups
from renaissance.tracking.history import History, read_history
from renaissance.tracking.listed_run import read_listed
from renaissance.tracking.metrics import TRAINING_SPLITS, Point, best_point, splits_in_order
from renaissance.tracking.run_folder import RunFolder, new_numbered_folder

DEFAULT_FOLDER = "comparisons"  # under log_dir
# The table's columns; between the two, one for each split that the runs were tested on.
RUN_COLUMNS, SPEED_COLUMNS = ("run", "task", "metric", "best", "at step", "final"), ("examples/s",)


@dataclass(frozen=True)
class ReadRun:
    """A run as its folder tells it.

    Attributes:
        name: what tables and legends call it.
        settings: its resolved settings; where a resume changed one, in words.
        curves: its metrics by name, `<task>/<split>/<metric>`, and what else is drawn of it.
        examples_per_second: in training; None where the run has no summary, or none in it.
        remark: what is to be known of it, such as that it is not finished; empty where there is nothing.
    """

    name: str
    settings: dict[str, Any]
    curves: RunCurves
    examples_per_second: float | None
    remark: str

    @property
    def points(self) -> Mapping[str, Sequence[Point]]:
        """Its metrics by name."""
        return self.curves.points


def compare_runs(settings: Settings) -> Path:
    """Read, draw and print the runs that the settings name.

    Args:
        settings: checked for the command `compare`.

    Returns:
        the new folder.

    Raises:
        UserError: a run cannot be read or has no metrics, or no folder can be made.
    """
    assert settings.runs is not None
    runs = [read_run(given, name) for given, name in zip(settings.runs, run_names(settings.runs), strict=True)]
    differing = differing_settings(runs)
    tested = tested_splits(runs)
    columns = (*RUN_COLUMNS, *tested, *SPEED_COLUMNS)
    table = [row for run in runs for row in result_rows(run, tested)]
    look, curves = Look.of_settings(settings), {run.name: run.curves for run in runs}
    check_axis(curves, look)
    parent = Path(settings.compare_dir or Path(settings.log_dir) / DEFAULT_FOLDER)
    folder = new_numbered_folder(parent, f"compare_dir={parent}")
    draw_comparison(seeds_together(dict(zip(curves, settings.runs, strict=True)), curves), folder, look)
    told = {run.name: [value_text(run.settings.get(name)) for name in differing] for run in runs}
    write_csv(folder / "comparison.csv", (*columns, *differing), [[*row, *told[str(row[0])]] for row in table])
    print(text_table(columns, table))
    if differing:
        print("\nsettings that differ:")
        print(text_table(("setting", *told), list(zip(differing, *told.values(), strict=True))))
    for run in runs:
        if run.remark:
            print(f"{run.name}: {run.remark}")
    compare_groups([read_listed(Path(given), run.name) for given, run in zip(settings.runs, runs, strict=True)], folder)
    print(f"comparison: {folder}")
    return folder


def run_names(given: Sequence[str]) -> list[str]:
    """What to call runs: `<exp_name>/<n>`, or where that is no name for one alone, the folders as they were given."""
    short = ["/".join(Path(folder).resolve().parts[-2:]) for folder in given]
    return short if len(set(short)) == len(short) else list(given)


def read_run(given: str, name: str) -> ReadRun:
    """A run from its folder, called by a name.

    Raises:
        UserError: a file of it cannot be read, or it has no metrics yet.
    """
    folder = RunFolder(Path(given))
    began = {**default_settings(), **with_schedule(_read_json(folder.config))}
    settings = _with_changes(began, read_history(folder))
    curves = read_curves(given)
    summary = _read_json(folder.summary) if folder.summary.is_file() else {}
    last = max(point.step for series in curves.points.values() for point in series)
    remark = "" if summary.get("status") == "finished" else f"not finished; its last point is at step {last:,}"
    speed = summary.get("examples_per_second")
    return ReadRun(name, settings, curves, speed if isinstance(speed, int | float) else None, remark)


def tested_splits(runs: Sequence[ReadRun]) -> list[str]:
    """The splits beyond training and validation that any of the runs has metrics of, as they come."""
    names = [name for run in runs for name in run.points]
    return [split for split in splits_in_order(names) if split not in TRAINING_SPLITS]


def result_rows(run: ReadRun, tested: Sequence[str]) -> list[tuple[object, ...]]:
    """A row a task: its metric's best validation value, where, its last, and that of each tested split."""
    rows: list[tuple[object, ...]] = []
    for task in sorted({name.split("/")[0] for name in run.points}):
        metric = _monitored(task, run.points)
        series = {split: run.points.get(f"{task}/{split}/{metric}", []) for split in ("val", *tested)}
        best = best_point(f"{task}/val/{metric}", series["val"]) if series["val"] else None
        last = [points[-1].value if points else None for points in series.values()]
        rows.append((run.name, task, metric, best and best.value, best and best.step, *last, run.examples_per_second))
    return rows


def differing_settings(runs: Sequence[ReadRun]) -> list[str]:
    """The settings that a training reads and that are not the same in all runs, in the order of the first with them."""
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in read_by_commands())
    return [name for name in names if len({value_text(run.settings.get(name)) for run in runs}) > 1]


def _monitored(task: str, points: Mapping[str, object]) -> str:
    """The metric that a task alone is judged by; the loss of a task that is no longer there."""
    monitor = own_monitor(task)
    known = any(name.split("/")[0] == task and name.split("/")[2] == monitor for name in points)
    return monitor if known else "loss"


def _with_changes(settings: dict[str, Any], history: History | None) -> dict[str, Any]:
    """The settings that a run began with; one that a resume changed in words, such as "0.002, from step 5 0.001"."""
    settings = dict(settings)
    for resume in history.resumes if history else ():
        for name, (_, after) in resume["changed"].items():
            settings[name] = f"{value_text(settings.get(name))}, from step {resume['step']:,} {value_text(after)}"
    return settings


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"runs: {path} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"runs: {path} holds no settings by name")
    return content
