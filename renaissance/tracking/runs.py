"""The command `runs`: a table of runs, of those that are asked for, and of the groups that differ in the seed alone.

Comes in: the settings `log_dir` or `runs`, `where`, `sort_by`, `limit`, `runs_format`. Goes out: text on the terminal.
No PyTorch here.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from renaissance.atomic_files import strict_json
from renaissance.settings import Settings
from renaissance.text_table import printable, text_table, value_text
from renaissance.tracking.figures import figure, figures
from renaissance.tracking.group_comparison import GROUP_COLUMNS, group_rows
from renaissance.tracking.groups import SEED, SeedGroup, seed_groups, settings_of_figures, values_of_figures
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.listing import list_runs
from renaissance.tracking.query import FIELDS, Condition, check_known, ordered, parse_where, value_of
from renaissance.tracking.tables import latex_table, markdown_table

LONGEST_VALUE = 24  # characters of a setting's value on the terminal
MOST_REMARKS = 20
Rows = list[list[object]]


def show_runs(settings: Settings) -> None:
    """Print the runs that the settings ask for.

    Args:
        settings: checked for the command `runs`.

    Raises:
        UserError: `where` or `sort_by` is not understood.
    """
    conditions = parse_where(settings.where)
    parents = [Path(given) for given in settings.runs or [settings.log_dir]]
    runs = _found(parents)
    where = ", ".join(map(str, parents))
    sorted_by = [settings.sort_by.removeprefix("-")] if settings.sort_by else []
    check_known([*(condition.name for condition in conditions), *sorted_by], runs)
    chosen = [run for run in runs if all(condition.holds(run) for condition in conditions)]
    if settings.sort_by is not None:
        chosen = ordered(chosen, settings.sort_by)
    listed = chosen[: settings.limit]
    asked = _asked_for(conditions, settings.sort_by)
    if settings.runs_format == "json":
        print(json.dumps([_record(run) for run in listed], indent=2, ensure_ascii=False))
        return
    names = list(dict.fromkeys([*asked, *differing(listed)]))
    if settings.runs_format != "table":
        print(_written(listed, names, settings.runs_format), end="")
        return
    if not listed:
        print(f"no runs below {where}" if not runs else f"none of the {len(runs):,} runs below {where} is so")
        return
    _print_table(listed, names, asked)
    if len(listed) < len(runs):
        print(f"{len(listed):,} of {len(runs):,} runs below {where}")
    _print_remarks(listed)
    _print_groups([group for group in seed_groups(listed) if len(group.runs) > 1])


def differing(runs: Sequence[ListedRun]) -> list[str]:
    """The settings that figures depend on and that are not the same in all runs; the seed first."""
    known = [(run.seed, *values_of_figures(run)) for run in runs if run.settings]
    columns = zip((SEED, *settings_of_figures()), zip(*known, strict=True), strict=False)
    return [name for name, column in columns if column.count(column[0]) < len(column)]


def _found(parents: Sequence[Path]) -> list[ListedRun]:
    """The runs below folders, each once; where two have one name, they are called by their folders."""
    runs = [run for parent in parents for run in list_runs(parent)]
    if len(parents) > 1:  # of one folder each run is found once
        runs = list({run.folder.path.resolve(): run for run in runs}.values())
    if len({run.name for run in runs}) < len(runs):
        return [replace(run, name=str(run.folder.path)) for run in runs]
    return runs


def _asked_for(conditions: Sequence[Condition], sort_by: str | None) -> list[str]:
    """The settings and metrics that a query names: they get columns of their own."""
    names = [condition.name for condition in conditions if condition.sign not in ("=", "~")]
    return [name for name in dict.fromkeys([*names, *([sort_by.removeprefix("-")] if sort_by else [])])
            if name not in FIELDS]  # fmt: skip


def _print_table(runs: Sequence[ListedRun], names: Sequence[str], asked: Sequence[str]) -> None:
    """The table on the terminal, with as many of the settings as its width holds."""
    width = os.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = list(names)
    table = text_table(*_table(runs, shown))
    while width is not None and len(table.partition("\n")[0]) > width and len(shown) > len(asked):
        shown.pop()
        table = text_table(*_table(runs, shown))
    if width is not None:
        table = "\n".join(line[:width] for line in table.splitlines())
    print(table)
    if left := names[len(shown) :]:
        print(f"settings that differ too, for which there is no room: {', '.join(left)} (runs_format=csv has all)")


def _table(runs: Sequence[ListedRun], names: Sequence[str]) -> tuple[list[str], Rows]:
    """Header and rows for people."""
    monitors = {run.monitor for run in runs if run.monitor}
    one = monitors.pop() if len(monitors) == 1 else None
    header = [
        "run",
        "status",
        *names,
        f"best {one}" if one else "best",
        *([] if one else ["of"]),
        "duration",
        "started",
    ]
    rows: Rows = []
    for run in runs:
        values = [_short(value_of(run, name)) for name in names]
        times = [duration_in_words(run.seconds), day_in_words(run.started)]
        rows.append([run.name, _status(run), *values, run.best, *([] if one else [run.monitor]), *times])
    return header, rows


def _status(run: ListedRun) -> str:
    """How a run stands, and where it is as long as it is not finished."""
    if run.status in ("finished", "broken") or run.step is None:
        return run.status
    return f"{run.status} at {run.step:,}" + (f" of {run.total_steps:,}" if run.total_steps else "")


def _short(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return "None" if value is None else str(value) if isinstance(value, bool) else f"{value:g}"
    text = value_text(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _print_remarks(runs: Sequence[ListedRun]) -> None:
    told = [f"{run.name}: {printable(run.error or run.remark)}" for run in runs if run.error or run.remark]
    for line in told[:MOST_REMARKS]:
        print(line)
    if len(told) > MOST_REMARKS:
        print(f"… and {len(told) - MOST_REMARKS:,} more such lines (runs_format=json has all)")


def _print_groups(groups: Sequence[SeedGroup]) -> None:
    """Mean, standard deviation and interval of each group of seeds."""
    if not groups:
        return
    print("\nruns that differ in the seed alone:")
    print(text_table(GROUP_COLUMNS, group_rows(groups)))
    for group in groups[:MOST_REMARKS]:
        for remark in group.remarks:
            print(f"{group.name}: {printable(remark)}")


def _written(runs: Sequence[ListedRun], names: Sequence[str], form: str) -> str:
    """The table as CSV, Markdown or LaTeX: values whole, and what the runs were tested on too."""
    tested = list(dict.fromkeys(name for run in runs for name in figures(run) if name in run.tested))
    header = ["run", "status", *names, "monitor", "best", "best_step", *tested, "step", "seconds", "started", "error"]
    rows: Rows = [
        [run.name, run.status, *(_whole(value_of(run, name)) for name in names), run.monitor, run.best, run.best_step]
        + [figure(run, name) for name in tested]
        + [run.step, run.seconds, _iso(run.started), run.error]
        for run in runs
    ]
    if form == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        return text.getvalue()
    return (markdown_table if form == "markdown" else latex_table)(header, rows)


def _whole(value: object) -> object:
    return value if isinstance(value, bool | int | float) else value_text(value)


def _record(run: ListedRun) -> object:
    """A run for JSON."""
    return strict_json(
        {
            "run": run.name, "folder": str(run.folder.path), "status": run.status, "tasks": list(run.tasks),
            "seed": run.seed, "started": _iso(run.started), "seconds": run.seconds, "step": run.step,
            "total_steps": run.total_steps, "monitor": run.monitor, "best": run.best, "best_step": run.best_step,
            "tested": run.tested, "settings": run.settings, "changes": [change._asdict() for change in run.changes],
            "versions": run.versions, "remark": run.remark, "error": run.error,
        }
    )  # fmt: skip


def _iso(started: float | None) -> str | None:
    return None if started is None else time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(started))


def duration_in_words(seconds: float | None) -> str | None:
    """A time that a listing shows: "45 s", "12 min", "3.4 h", "2.1 d"."""
    if seconds is None:
        return None
    for limit, size, unit in ((90.0, 1.0, "s"), (5400.0, 60.0, "min")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600.0:.1f} h" if seconds < 172800.0 else f"{seconds / 86400.0:.1f} d"


def day_in_words(started: float | None) -> str | None:
    """When a run was started, by the clock of this machine: "2026-11-27 14:05"."""
    return None if started is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(started))
