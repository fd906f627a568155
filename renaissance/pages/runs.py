"""A run as a page shows it: its record in the listing, its points, and what else its folder holds.

Every file of the folder may be missing, half written or hostile; what cannot be read is left out, and the record's
`status` and `error` say what is wrong with the run as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from renaissance.pages.points import Columns, columns, metric_points, pace_points
from renaissance.pages.reading import first_lines, names_inside, read_lines, read_values
from renaissance.settings.defaults import default_settings
from renaissance.text_table import value_text
from renaissance.tracking.csv_rows import csv_rows
from renaissance.tracking.groups import SeedGroup, group_name
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.metrics import Point, best_point, splits_in_order
from renaissance.tracking.pace import first_interval


@dataclass(frozen=True)
class PageRun:
    """A run with what a page shows of it.

    Attributes:
        listed: its record.
        points: its metrics by name, `<task>/<split>/<metric>`.
        drawn: what its charts draw: the metrics and the pace of its training as columns.
        clock: the columns "step" and "seconds": how long it had trained by which step.
        thinned: whether points of long curves were left out of `drawn`.
    """

    listed: ListedRun
    points: dict[str, list[Point]]
    drawn: Columns
    clock: dict[str, list[Any]]
    thinned: bool

    @property
    def name(self) -> str:
        return self.listed.name

    @property
    def path(self) -> Path:
        return self.listed.folder.path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` holds."""
        return read_values(self.path, "summary.json")

    @cached_property
    def calls(self) -> list[dict[str, Any]]:
        """The command that began the run, and those that resumed it, as `command.json` has them."""
        start = read_values(self.path, "command.json")
        resumes = start.get("resumes")
        return [call for call in (start, *(resumes if isinstance(resumes, list) else ())) if isinstance(call, dict)]

    @property
    def sheets(self) -> list[str]:
        """The pictures of its samples, relative to its folder, the oldest first."""
        return read_sheets(self.path)

    def predictions(self, rows: int) -> dict[str, list[dict[str, Any]]]:
        """The first predictions of each tested split, by file."""
        return {
            Path(name).stem: _values_of_lines(first_lines(self.path, name, rows))
            for name in names_inside(self.path, "predictions", ".jsonl")
        }

    def for_charts(self, group: str | None) -> dict[str, Any]:
        """The run as `panel.js` takes it.

        Args:
            group: the name of its group of seeds; None where it stands in none.
        """
        return {
            "name": self.name, "group": group, "points": self.drawn, "pace": self.clock, "thinned": self.thinned,
            "interval": first_interval(self.listed.settings),
        }  # fmt: skip


def read_page_run(listed: ListedRun) -> PageRun:
    """Read what a page shows of a run."""
    folder = listed.folder.path
    points = metric_points(read_lines(folder, "metrics.csv"))
    pace, clock = pace_points(read_lines(folder, "pace.csv"))
    drawn, thinned = columns({**points, **pace})
    return PageRun(listed, points, drawn, clock, thinned)


def read_sheets(folder: Path) -> list[str]:
    """The pictures of a run's samples, relative to its folder, the oldest first: by step, then those of tests."""
    names = names_inside(folder, "samples", ".png")
    return sorted(names, key=lambda name: (not name.startswith("samples/step_"), len(name), name))


def names_of_groups(groups: Sequence[SeedGroup]) -> dict[str, str]:
    """By a run's name the name of its group, of those that count among runs that differ in the seed alone."""
    counted = [[run.name for run in group.counted] for group in groups if len(group.counted) > 1]
    return {name: group_name(names) for names in counted for name in names}


def changed_settings(settings: Mapping[str, Any]) -> set[str]:
    """The settings that are other than by default."""
    defaults = default_settings()
    return {name for name, value in settings.items() if name not in defaults or defaults[name] != value}


def setting_text(name: str, value: object) -> str:
    """A setting's value as a page shows it; of the tasks' weights only those that are not 0."""
    if name == "loss_names" and isinstance(value, Mapping):
        value = {task: weight for task, weight in value.items() if weight}
    return value_text(value)


def result_names(runs: Sequence[PageRun]) -> list[str]:
    """The metrics of any of the runs, by task and metric, validation first, then tests, then training."""
    names = list(dict.fromkeys(name for run in runs for name in run.points))
    order = {split: place for place, split in enumerate(splits_in_order(names))} | {"val": -2, "train": 99}
    parts = {name: name.split("/") for name in names}
    return sorted(names, key=lambda name: (parts[name][0], parts[name][2], order[parts[name][1]]))


def best_of(run: PageRun, name: str) -> Point | None:
    """The best point of a metric; None where the run has none that is a number."""
    series = [point for point in run.points.get(name, []) if point.value == point.value]
    return best_point(name, series) if series else None


def sample_texts(run: PageRun, sheet: str, rows: int) -> list[list[str]]:
    """The first rows of the table beside a sheet of samples, its header first."""
    return list(csv_rows(first_lines(run.path, str(Path(sheet).with_suffix(".csv")), rows + 1)))


def _values_of_lines(lines: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            found.append(content)
    return found
