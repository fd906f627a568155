"""The parts of a report, each as HTML: what of runs is the same for all readers, without a script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from renaissance.pages.html import Content, Html, number_text, table, tag
from renaissance.pages.runs import (
    PageRun,
    best_of,
    result_names,
    setting_text,
)
from renaissance.text_table import value_text
from renaissance.tracking.group_comparison import (
    DIFFERENCE_COLUMNS,
    GROUP_COLUMNS,
    difference_rows,
    group_rows,
    notes_on_differences,
)
from renaissance.tracking.groups import SeedGroup
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.metrics import more_is_better, split_of
from renaissance.tracking.runs import differing

STATUS_WORDS = {
    "running": "is still running: what stands here is what it has come to so far",
    "interrupted": "was interrupted, and can be resumed",
    "crashed": "did not come to its end, and did not write why",
    "broken": "cannot be read in full",
}


def status_badge(status: str) -> Html:
    """How a run stands, as a word with a colour."""
    return tag("span", status, class_=f"status {status}")


def overview(runs: Sequence[PageRun], places: Mapping[str, str]) -> Html:
    """A row a run: how it stands, how long it took, what it came to.

    Args:
        runs: the runs.
        places: by a run's name the anchor of its part of the page.
    """
    tested = list(dict.fromkeys(name for run in runs for name in run.listed.tested))
    few = tested if len(tested) <= 6 else []
    header = ("run", "status", "tasks", "best by", "best", "at step", *few, "steps", "took", "seed", "began")
    rows: list[list[Content]] = []
    for run in runs:
        one = run.listed
        of = f" of {one.total_steps:,}" if one.total_steps and one.step != one.total_steps else ""
        rows.append([
            tag("a", one.name, href=f"#{places[one.name]}"), status_badge(one.status), ", ".join(one.tasks),
            one.monitor, one.best, one.best_step, *(one.tested.get(name) for name in few),
            f"{number_text(one.step)}{of}", duration(one.seconds), one.seed, moment(one.started),
        ])  # fmt: skip
    return table(header, rows)


def remarks(runs: Sequence[ListedRun]) -> Html:
    """What is to be known of runs that did not come to their end."""
    told = [
        tag("li", tag("b", run.name), f" {'; '.join(filter(None, (STATUS_WORDS[run.status], run.remark, run.error)))}")
        for run in runs
        if run.status in STATUS_WORDS
    ]
    return tag("ul", told, class_="remarks") if told else Html()


def results(runs: Sequence[PageRun]) -> Html:
    """A row a metric and split, a column a run: its last value, of validations its best too. A row's best is bold."""
    rows: list[list[Content]] = []
    for name in result_names(runs):
        last = [run.points[name][-1].value if name in run.points else None for run in runs]
        rows.append([name, *_with_best_bold(name, last)])
        if split_of(name) == "val":
            points = [best_of(run, name) for run in runs]
            values = _with_best_bold(name, [point and point.value for point in points])
            steps = [tag("small", f" at {point.step:,}") if point else None for point in points]
            cells = [[value, step] for value, step in zip(values, steps, strict=True)]
            rows.append([[name, tag("small", " best")], *cells])
    return table(("metric", *(run.name for run in runs)), rows, "results")


def _with_best_bold(name: str, values: Sequence[float | None]) -> list[Content]:
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    best = (max if more_is_better(name) else min)(numbers) if len(numbers) > 1 and split_of(name) != "train" else None
    return [tag("b", value) if value is not None and value == best else value for value in values]


def settings_that_differ(runs: Sequence[ListedRun]) -> Html | None:
    """A row a setting that figures depend on and that is not the same in all runs; None where there is none."""
    rows = [[name, *(setting_cell(run, name) for run in runs)] for name in differing(runs)]
    return table(("setting", *(run.name for run in runs)), rows, "settings") if rows else None


def setting_cell(run: ListedRun, name: str) -> Content:
    """A run's value of a setting."""
    if name not in run.settings:
        return None
    changed = {change.name for change in run.changes}
    return [setting_text(name, run.settings[name]), tag("small", " (changed by a resume)") if name in changed else None]


def seed_groups_table(groups: Sequence[SeedGroup]) -> Html | None:
    """Mean and spread of each group of runs that differ in the seed alone; None where there is no such group."""
    found = [group for group in groups if len(group.runs) > 1]
    if not found:
        return None
    rows = [[plain(cell) for cell in row] for row in group_rows(found)]
    told = [tag("li", tag("b", group.name), f" {remark}") for group in found for remark in group.remarks]
    return tag("div", table(GROUP_COLUMNS, rows), tag("ul", told, class_="remarks"))


def differences_table(groups: Sequence[SeedGroup]) -> Html | None:
    """The differences between groups of runs, and what is known of them; None where nothing can be compared."""
    found, told = difference_rows(groups)
    if not found:
        return None
    rows = [[plain(cell) for cell in row] for row in found]
    return tag(
        "div",
        tag("p", "The first runs' figure minus the other's.", class_="note"),
        table(DIFFERENCE_COLUMNS, rows),
        tag("ul", [tag("li", one) for one in (*notes_on_differences(groups), *told)], class_="remarks"),
    )


def plain(value: object) -> Content:
    """A value that a file may hold, as a cell: numbers and texts as they are, anything else in JSON."""
    return value if isinstance(value, str | int | float) or value is None else value_text(value)


def duration(seconds: float | None) -> str:
    """Seconds in words, such as "1 h 05 min"; a dash where they are not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def moment(seconds: float | None) -> str:
    """A moment of the clock (UTC), such as "2026-11-27 00:01"."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
