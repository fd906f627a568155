"""Runs that differ in the seed alone are one unit: the same configuration, tried several times.

Comes in: runs as a listing has them. Goes out: groups, each with the runs that count and what is to be known of them.
No PyTorch here.

A setting tells two groups apart if the figures of a training depend on it: those that a resume may not change or may
change from the next step on, and those that decide on drawn tables. Where a run lies, what else records it, how many
processes load its data and which devices it takes do not (`on_resume.py` has the kinds).

Under what a run trained beside its settings (tables and their folder, versions, devices, plug-ins) may change figures
all the same. That is said where it differs within a group; where one seed was tried under two such circumstances, they
tell groups apart, so that no seed counts twice and no run is dropped as the repeat of another that it is not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from renaissance.atomic_files import opened_for_reading
from renaissance.settings.defaults import default_settings
from renaissance.settings.marked import read_by_commands, settings_marked
from renaissance.settings.marks import Mark
from renaissance.settings.on_resume import OnResume, on_resume
from renaissance.settings.schema import Settings
from renaissance.tracking.listed_run import ListedRun

SEED = "seed"
# Says what the command does, and so is none of a run's when that is resumed; a test is no training all the same.
TOLD_TO_THE_COMMAND = ("test_only",)
LARGEST_SOURCE = 16_000_000  # bytes of a plug-in's file


@dataclass(frozen=True)
class SeedGroup:
    """Runs of one configuration.

    Attributes:
        name: what tables call it, such as "mlm/1-3".
        runs: all of them, in the order of the listing.
        counted: those that figures are of: finished, and one of each seed, the newest.
        remarks: what is to be known of the others, and of what differs within the group after all, or from a group of
            the same settings.
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
    """The groups of runs that differ in the seed alone, in the order of each configuration's first run.

    A run that differs from all others is a group of one. One that cannot be read is in none.
    """
    found: dict[str, list[ListedRun]] = {}
    for run in runs:
        if run.status != "broken" and run.settings:
            found.setdefault(_configuration(run), []).append(run)
    return [group for members in found.values() for group in _groups(members)]


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


def values_of_figures(run: ListedRun) -> tuple[Any, ...]:
    """A run's values of `settings_of_figures()`; a setting that its version did not know has its default."""
    names = settings_of_figures()
    try:
        return itemgetter(*names)(run.settings)
    except KeyError:
        return itemgetter(*names)({**dict.fromkeys(names), **default_settings(), **run.settings})


def _configuration(run: ListedRun) -> str:
    """What tells a run's group: its settings, and how resumes changed them on the way."""
    changes = [change for change in run.changes if change.name in settings_of_figures()]
    return json.dumps([values_of_figures(run), changes], sort_keys=True, default=repr)


def _groups(runs: Sequence[ListedRun]) -> Iterator[SeedGroup]:
    """Runs of one configuration: one group, or one for each of the circumstances that a seed was tried under."""
    finished = [run for run in runs if run.status == "finished"]
    if len({run.seed for run in finished}) == len(finished):
        yield _group(runs, finished, ())
        return
    of_runs = {run.name: _text(_circumstances(run)) for run in runs}
    tried = {(run.seed, of_runs[run.name]) for run in finished}
    if len({seed for seed, _ in tried}) == len(tried):
        yield _group(runs, finished, ())
        return
    apart = tuple(f"not counted together with runs of the same settings: {told}" for told in _told(finished))
    for circumstances in dict.fromkeys(of_runs.values()):
        members = [run for run in runs if of_runs[run.name] == circumstances]
        yield _group(members, [run for run in members if run.status == "finished"], apart)


def _group(runs: Sequence[ListedRun], finished: Sequence[ListedRun], apart: tuple[str, ...]) -> SeedGroup:
    """A group: of its finished runs with one seed, the newest counts."""
    newest: dict[int | None, ListedRun] = {}
    for run in sorted(finished, key=lambda run: run.started or 0.0):
        newest[run.seed] = run
    counted = tuple(run for run in runs if newest.get(run.seed) is run)
    remarks = (*apart, *_remarks(runs, finished, counted))
    return SeedGroup(group_name([run.name for run in runs]), tuple(runs), counted, remarks)


def _remarks(runs: Sequence[ListedRun], finished: Sequence[ListedRun], counted: Sequence[ListedRun]) -> Iterator[str]:
    unfinished = [f"{run.name} ({run.status})" for run in runs if run.status != "finished"]
    if unfinished:
        yield f"not counted, for not finished: {', '.join(unfinished)}"
    again = [run.name for run in finished if run not in counted]
    if again:
        yield f"not counted, for a newer run has the same seed and tells nothing more: {group_name(again)}"
    yield from _told(finished)


def _told(runs: Sequence[ListedRun]) -> Iterator[str]:
    """What differs between runs beside their settings, a line for each kind."""
    for told, of in CIRCUMSTANCES.items():
        if len(runs) > 1 and (differences := _differences(runs, of)):
            yield f"{told}: {differences}"


def _circumstances(run: ListedRun) -> list[Mapping[str, Any]]:
    """All that may change a run's figures beside its settings."""
    return [of(run) for of in CIRCUMSTANCES.values()]


def _tables(run: ListedRun) -> Mapping[str, Any]:
    return run.tables


def _contents(run: ListedRun) -> Mapping[str, Any]:
    return run.contents


def _folder_of_tables(run: ListedRun) -> Mapping[str, Any]:
    """Of a run that has noted what its tables hold, nothing: what they hold says more."""
    return {} if run.contents else {"data_root": run.settings.get("data_root")}


def _versions(run: ListedRun) -> Mapping[str, Any]:
    return run.versions


@cache
def _settings_of_devices() -> tuple[str, ...]:
    fields = Settings.model_fields.items()
    return tuple(name for name, setting in fields if on_resume(setting) is OnResume.DEVICES)


def _devices(run: ListedRun) -> Mapping[str, Any]:
    own = run.settings  # the defaults take reading `config.py`
    return {name: own[name] if name in own else default_settings().get(name) for name in _settings_of_devices()}


def _plugins(run: ListedRun) -> Mapping[str, Any]:
    """Of each file of plug-ins that the run has kept, the beginning of its SHA-256."""
    if not run.settings.get("plugins"):
        return {}
    top = run.folder.plugins
    places = [Path(parent, name) for parent, _, names in os.walk(top) for name in names]
    return {place.relative_to(top).as_posix(): _hash(place) for place in sorted(places)}


def _hash(path: Path) -> str:
    try:
        with opened_for_reading(path) as (file, size):
            if size > LARGEST_SOURCE:
                return f"{size} bytes"
            return hashlib.sha256(os.pread(file, size, 0)).hexdigest()[:8]
    except OSError as error:
        return str(error.strerror)


# What a run trained under beside its settings, by how it is said.
CIRCUMSTANCES: Mapping[str, Callable[[ListedRun], Mapping[str, Any]]] = {
    "they read different tables": _tables,
    "they read tables of different content": _contents,
    "they read tables of different folders, which may not be the same": _folder_of_tables,
    "they ran on different versions": _versions,
    "they ran on different devices": _devices,
    "they had different plug-ins": _plugins,
}


def _differences(runs: Sequence[ListedRun], of: Callable[[ListedRun], Mapping[str, Any]]) -> str:
    """What is not the same in all runs: "torch 2.9 (mlm/1), 2.10 (mlm/2)"; empty where all is."""
    found = {run.name: of(run) for run in runs}
    told = []
    for name in dict.fromkeys(name for values in found.values() for name in values):
        first: dict[str, str] = {}  # by value, the first run that has it
        for run, values in found.items():
            first.setdefault(str(values.get(name, "none" if values else "not recorded")), run)
        if len(first) > 1:
            told.append(f"{name} {', '.join(f'{value} ({run})' for value, run in first.items())}")
    return "; ".join(told)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
