"""A run as a small record: how it stands, what it was told, how long it took, its best value.

Comes in: a run's folder. Goes out: a `ListedRun`; of a folder that cannot be read as a run's, one that says so. What is
large is not read whole: of a finished run `summary.json` says most, of any other the end of `metrics.csv` and the rows
of what is monitored do. No PyTorch here.
"""

from __future__ import annotations

import math
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from pydantic_core import from_json

from renaissance.atomic_files import opened_for_reading
from renaissance.tracking.history import History
from renaissance.tracking.metrics import TRAINING_SPLITS, split_of
from renaissance.tracking.metrics_tail import last_pace, last_points, series_of
from renaissance.tracking.run_folder import RunFolder, is_alive
from renaissance.training.monitoring import Monitor

# running: a process is at work on it. crashed: none is, and the run did not write how it ended. broken: a file of it
# cannot be read, so that little else is known.
Status = Literal["running", "finished", "interrupted", "crashed", "broken"]
STATUSES: tuple[Status, ...] = get_args(Status)

LARGEST_JSON = 16_000_000  # bytes of a file of settings, a history or a summary
MOST_DIGITS = 300  # of an integer that a float holds, for where anything reckons with it
TOO_MANY_DIGITS, TWO_DIGITS = re.compile(rb"\d{%d}" % MOST_DIGITS), re.compile(rb"\d\d")


class Change(NamedTuple):
    """A setting that a resume changed.

    Attributes:
        step: the optimiser steps that were done before.
        name: the setting.
        before: its value until then.
        after: its value from then on.
    """

    step: int
    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ListedRun:
    """A run as a listing shows it.

    Attributes:
        folder: its folder.
        name: what it is called, `<exp_name>/<n>`: its folder below the one that was looked through.
        status: how it stands.
        settings: those that hold now, by name: what it began with, with what resumes changed.
        changes: what resumes changed of them, in their order.
        tasks: the tasks that it trains, in alphabetical order.
        seed: where its random choices start.
        started: when it began, in seconds since the epoch.
        seconds: how long it has trained: of a finished or interrupted one over all its starts, of a running one until
            now, of a crashed one until its last metric.
        step: the optimiser steps that were taken, as far as is recorded.
        total_steps: how many it is to take; None where it did not record that, as those of earlier versions.
        monitor: what tells its best checkpoint, such as "mlm/val/loss", or "itm/val/loss + 0.5 × mlm/val/loss".
        more_is_better: whether more of that is better.
        best: its best value; NaN where no validation gave a number, None where there was no validation.
        best_step: the step of that value.
        tested: the metrics of every split beyond training and validation, by whole name, `<task>/<split>/<metric>`.
        versions: of what it began with, such as renaissance and torch.
        tables: the bytes of each table that it reads, by name; empty where it did not record that.
        contents: what tells the content of each of them, by name; empty where it did not record that.
        remark: what else is to be known of how it stands; empty where there is nothing.
        error: what is wrong with its files; empty where nothing is.
    """

    folder: RunFolder
    name: str
    status: Status
    settings: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    tasks: tuple[str, ...] = ()
    seed: int | None = None
    started: float | None = None
    seconds: float | None = None
    step: int | None = None
    total_steps: int | None = None
    monitor: str = ""
    more_is_better: bool = False
    best: float | None = None
    best_step: int | None = None
    tested: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, int] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""
    error: str = ""


def read_listed(path: Path, name: str) -> ListedRun:
    """The record of a run.

    Args:
        path: its folder.
        name: what to call it.
    """
    folder = RunFolder(path)
    try:
        return _read(folder, name)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return ListedRun(folder, name, "broken", error=_in_words(error))


def _read(folder: RunFolder, name: str) -> ListedRun:
    marked = os.path.lexists(folder.mark)
    alive = marked and is_alive(folder)
    if alive and not os.path.lexists(folder.config):
        return ListedRun(folder, name, "running", remark="it has not begun to train yet")
    summary = _read_json(folder.summary, missing={})
    began, start = _read_json(folder.config), _read_json(folder.command)
    history = History(began, start, list(start.get("resumes", [])))
    settings = history.settings_now()
    # A process that was killed has left its mark; one that has ended just now has not.
    whole = not (marked and os.path.lexists(folder.mark)) and _of_last_start(summary, history)
    weights = {name: weight for name, weight in settings["loss_names"].items() if weight > 0}
    monitor = _monitor(settings, weights)
    total_steps = (history.resumes[-1] if history.resumes else start).get("total_steps")
    if total_steps is not None and type(total_steps) is not int:
        raise ValueError("command.json: total_steps is no whole number")
    run = ListedRun(
        folder,
        name,
        status="running" if alive else summary["status"] if whole else "crashed",
        settings=settings,
        changes=tuple(_changes(history)),
        tasks=tuple(sorted(weights)),
        seed=int(settings["seed"]),
        started=_seconds(start["started"]),
        total_steps=total_steps,
        monitor=monitor.name,
        more_is_better=monitor.more_is_better,
        versions=dict(start.get("versions", {})),
        tables=dict(start.get("tables", {})),
        contents=dict(start.get("contents", {})),
        remark="" if alive or whole or not marked else _of_another_host(start),
    )
    return _with_results(run, monitor, summary, history, whole)


def _changes(history: History) -> Iterator[Change]:
    for resume in history.resumes:
        for name, (before, after) in resume["changed"].items():
            yield Change(int(resume["step"]), name, before, after)


def _with_results(
    run: ListedRun, monitor: Monitor, summary: Mapping[str, Any], history: History, whole: bool
) -> ListedRun:
    """A record with what the run has come to: out of the summary, if that is whole, else out of its metrics."""
    best, best_step = _kept_best(summary) if whole and "best_value" in summary else _best(run.folder.metrics, monitor)
    if whole and "steps" in summary:
        final = {name: math.nan if value is None else float(value) for name, value in summary["final"].items()}
        seconds: float | None = float(summary["wall_seconds"])
        step = int(summary["steps"])
    else:
        last = last_points(run.folder.metrics)
        final = {name: point.value for name, point in last.items()}
        step = max((point.step for point in last.values()), default=0)
        seconds = _seconds_so_far(run, summary, history)
    tested = {name: value for name, value in final.items() if split_of(name) not in ("", *TRAINING_SPLITS)}
    return replace(run, best=best, best_step=best_step, tested=tested, seconds=seconds, step=step)


def _kept_best(summary: Mapping[str, Any]) -> tuple[float | None, int | None]:
    """The best as the summary has it, which writes None for what is no number."""
    step, value = summary["best_step"], summary["best_value"]
    return (None, None) if step is None else (math.nan if value is None else float(value), int(step))


def _best(metrics: Path, monitor: Monitor) -> tuple[float | None, int | None]:
    """The best validation, as the best checkpoint is chosen: the first of equals, and what is no number is the worst.

    Of a test without a training there is none.
    """
    by_step: dict[int, dict[str, float]] = {}
    for name, series in series_of(metrics, monitor.weights).items():
        for point in series:
            by_step.setdefault(point.step, {})[name] = point.value
    best: tuple[float, int] | None = None  # score, step
    for step in sorted(by_step):
        score = monitor.score(by_step[step])
        if score is not None and (best is None or score > best[0]):
            best = score, step
    return (monitor.value(best[0]), best[1]) if best else (None, None)


def _monitor(settings: Mapping[str, Any], tasks: Mapping[str, float]) -> Monitor:
    """What tells the best checkpoint; of a task that is not installed, its loss."""
    try:
        return Monitor.of(settings.get("monitor"), tasks)
    except KeyError:
        return Monitor({f"{name}/val/loss": 1.0 for name in tasks})


def _of_last_start(summary: Mapping[str, Any], history: History) -> bool:
    """Whether a summary tells how the run ended when it was last at work, and not how it did before a resume.

    It counts the resumes before it; that of an earlier version does not, and is taken as it is.
    """
    ended = summary.get("status") in ("finished", "interrupted")
    return bool(ended and summary.get("resumes", len(history.resumes)) == len(history.resumes))


def _seconds_so_far(run: ListedRun, summary: Mapping[str, Any], history: History) -> float | None:
    """How long a run has trained that has not written it: until the last row of its pace, and since then.

    A run that keeps no pace: before its last start, as its summary has it, and since then.
    """
    until = time.time() if run.status == "running" else _modified(run.folder.metrics)
    last = _seconds(history.resumes[-1]["started"]) if history.resumes else run.started
    pace, paced = last_pace(run.folder.pace), _modified(run.folder.pace)
    if pace is not None and until is not None and last is not None and paced is not None:
        return pace.seconds + max(until - max(paced, last), 0.0)
    before = float(summary.get("wall_seconds") or 0.0) if history.resumes else 0.0
    return None if until is None or last is None else before + max(until - last, 0.0)


def _of_another_host(start: Mapping[str, Any]) -> str:
    """Say of a run on another machine that its end is known only as far as its lock can be seen from here."""
    host = start.get("host")
    return "" if host in (None, platform.node()) else f"no lock of {host}, where it was started, can be seen from here"


def _read_json(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a JSON file of a run holds.

    Args:
        path: the file.
        missing: what to give where it is not there; None is an error.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is too large, no JSON, holds no values by name, or a number of hundreds of digits.
    """
    try:
        with opened_for_reading(path) as (file, size):
            if size > LARGEST_JSON:
                raise ValueError(f"{path.name} has more than {LARGEST_JSON / 1e6:.0f} MB")
            content = os.pread(file, size, 0)
        if _has_long_number(content):
            raise ValueError(f"{path.name} holds a number of hundreds of digits")
    except FileNotFoundError:
        if missing is None:
            raise
        return missing
    try:
        values: object = from_json(content)
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} holds no values by name")
    return values


def _has_long_number(content: bytes) -> bool:
    """Whether there is a number of `MOST_DIGITS` digits; two places in it are looked for first, which is quicker."""
    every = content[:: MOST_DIGITS // 2]  # such a number has two of these beside each other
    return bool(TWO_DIGITS.search(every) and TOO_MANY_DIGITS.search(content))


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _seconds(written: str) -> float:
    """A time such as "2026-11-27T00:06:12+0000" in seconds since the epoch."""
    return datetime.fromisoformat(written).timestamp()


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename or '').name}: {error.strerror}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error)
