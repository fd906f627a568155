"""Runs that differ in the seed alone are one unit: the same configuration, tried several times.

Comes in: runs as a listing has them. Goes out: groups, each with the runs that count and what is to be known of them.
No PyTorch here.

A setting tells two groups apart if the figures of a training depend on it: those that a resume may not change or may
change from the next step on, and those that decide on drawn tables. Where a run lies, what else records it, how many
processes load its data and which devices it takes do not (`on_resume.py` has the kinds).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from renaissance.settings.defaults import default_settings
from renaissance.settings.marked import read_by_commands, settings_marked
from renaissance.settings.marks import Mark
from renaissance.settings.on_resume import OnResume, on_resume
from renaissance.settings.schema import Settings
from renaissance.tracking.listed_run import ListedRun

SEED = "seed"
# Says what the command does, and so is none of a run's when that is resumed; a test is no training all the same.
TOLD_TO_THE_COMMAND = ("test_only",)


@dataclass(frozen=True)
class SeedGroup:
    """Runs of one configuration.

    Attributes:
        name: what tables call it, such as "mlm/1-3".
        runs: all of them, in the order of the listing.
        counted: those that figures are of: finished, and one of each seed, the newest.
        remarks: what is to be known of the others, and of what differs within the group after all.
    """

    name: str
    runs: tuple[ListedRun, ...]
    counted: tuple[ListedRun, ...]
    remarks: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """The seeds of the runs that count."""
        return tuple(run.seed for run in self.counted)


@cache
def settings_of_figures() -> tuple[str, ...]:
    """The settings, without the seed, that the figures of a training depend on, in the order of `config.py`."""
    on_tables = settings_marked(Mark.DECIDES_ON_TABLES)
    kinds = (OnResume.FIXED, OnResume.CHANGES)
    return tuple(
        name
        for name, setting in Settings.model_fields.items()
        if (on_resume(setting) in kinds or name in on_tables or name in TOLD_TO_THE_COMMAND)
        and name != SEED
        and name not in read_by_commands()
    )


def seed_groups(runs: Sequence[ListedRun]) -> list[SeedGroup]:
    """The groups of runs that differ in the seed alone, in the order of their first runs.

    A run that differs from all others is a group of one. One that cannot be read is in none.
    """
    found: dict[str, list[ListedRun]] = {}
    for run in runs:
        if run.status != "broken" and run.settings:
            found.setdefault(_configuration(run), []).append(run)
    return [_group(tuple(members)) for members in found.values()]


def group_name(names: Sequence[str]) -> str:
    """One name for runs: "mlm/1-3" for "mlm/1", "mlm/2" and "mlm/3", "mlm/1, sgd/4" for those."""
    by_parent: dict[str, list[str]] = {}
    for name in names:
        parent, slash, number = name.rpartition("/")
        by_parent.setdefault(parent + slash, []).append(number)
    return ", ".join(parent + _ranges(numbers) for parent, numbers in by_parent.items())


def _ranges(numbers: list[str]) -> str:
    """Numbers with those that follow each other drawn together: "1-3,7"."""
    if not all(number.isdecimal() for number in numbers):
        return ",".join(numbers)
    spans: list[list[int]] = []
    for number in sorted({int(number) for number in numbers}):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _configuration(run: ListedRun) -> str:
    """What tells a run's group: its settings, and how resumes changed them on the way."""
    names = settings_of_figures()
    settings = {name: run.settings[name] if name in run.settings else _default(name) for name in names}
    changes = [change for change in run.changes if change.name in names]
    return json.dumps([settings, changes], sort_keys=True, default=repr)


def _default(name: str) -> Any:
    """The value of a setting that a run of an earlier version did not know."""
    return default_settings().get(name)


def _group(runs: tuple[ListedRun, ...]) -> SeedGroup:
    newest: dict[int | None, ListedRun] = {}
    for run in sorted((run for run in runs if run.status == "finished"), key=lambda run: run.started or 0.0):
        newest[run.seed] = run
    counted = tuple(run for run in runs if newest.get(run.seed) is run)
    return SeedGroup(group_name([run.name for run in runs]), runs, counted, tuple(_remarks(runs, counted)))


def _remarks(runs: tuple[ListedRun, ...], counted: tuple[ListedRun, ...]) -> Iterator[str]:
    unfinished = [f"{run.name} ({run.status})" for run in runs if run.status != "finished"]
    if unfinished:
        yield f"not counted, for not finished: {', '.join(unfinished)}"
    again = [run.name for run in runs if run.status == "finished" and run not in counted]
    if again:
        yield f"not counted, for a newer run has the same seed and tells nothing more: {', '.join(again)}"
    if len({_text(run.tables) for run in counted if run.tables}) > 1:
        yield f"they read different tables: {_differences(counted, lambda run: run.tables)}"
    if len({_text(run.versions) for run in counted}) > 1:
        yield f"they ran on different versions: {_differences(counted, lambda run: run.versions)}"
    if len({_text(run.settings.get("num_gpus")) for run in counted}) > 1:
        yield "they ran on different devices (num_gpus)"


def _differences(runs: Sequence[ListedRun], of: Any) -> str:
    """What is not the same in all runs: "torch 2.9 (mlm/1), 2.10 (mlm/2)"."""
    names = dict.fromkeys(name for run in runs for name in of(run))
    told = []
    for name in names:
        values: dict[str, str] = {}
        for run in runs:
            values.setdefault(str(of(run).get(name, "none")), run.name)
        if len(values) > 1:
            told.append(f"{name} {', '.join(f'{value} ({run})' for value, run in values.items())}")
    return "; ".join(told)


def _text(value: Mapping[str, Any] | Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
