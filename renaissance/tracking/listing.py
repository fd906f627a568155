"""Every run below a folder as a small record: how it stands, what it was told, how long it took, its best value.

Comes in: a folder such as `log_dir`. Goes out: a `ListedRun` for each run's folder below it. A folder that cannot be
read as a run is a record that says so, and never the end of a listing. What is large is not read whole: of a finished
run `summary.json` says most, of any other the end of `metrics.csv` and the rows of what is monitored do. No PyTorch.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic_core import from_json

from renaissance.tracking.history import History
from renaissance.tracking.metrics import TRAINING_SPLITS, Point, split_of
from renaissance.tracking.metrics_tail import last_points, series_of
from renaissance.tracking.run_folder import RunFolder, is_alive
from renaissance.training.monitoring import Monitor

# running: a process is at work on it. crashed: none is, and the run did not write how it ended. broken: a file of it
# cannot be read, so that little else is known.
Status = Literal["running", "finished", "interrupted", "crashed", "broken"]
STATUSES: tuple[Status, ...] = get_args(Status)

DEEPEST = 8  # folders below the one that is looked through
LARGEST_JSON = 16_000_000  # bytes of a file of settings, a history or a summary
OF_A_RUN = ("config.json", "command.json", "metrics.csv", "summary.json", ".alive")  # one of these makes a run's folder


@dataclass(frozen=True)
class ListedRun:
    """A run as a listing shows it.

    Attributes:
        folder: its folder.
        name: what it is called, `<exp_name>/<n>`: its folder below the one that was looked through.
        status: how it stands.
        settings: those that hold now, by name: what it began with, with what resumes changed.
        changed: the settings that a resume changed.
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
        remark: what else is to be known of how it stands; empty where there is nothing.
        error: what is wrong with its files; empty where nothing is.
    """

    folder: RunFolder
    name: str
    status: Status
    settings: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
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
    remark: str = ""
    error: str = ""


def list_runs(parent: Path) -> list[ListedRun]:
    """Every run below a folder, by experiment and number.

    Args:
        parent: such as `log_dir`; may be missing, which has no runs, or be a run's own folder.
    """
    return RunIndex(parent).runs()


class RunIndex:
    """The runs below a folder, for who asks again and again: only what has changed since is read again.

    Args:
        parent: such as `log_dir`.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._known: dict[Path, tuple[object, ListedRun]] = {}

    def runs(self) -> list[ListedRun]:
        """The runs as they are now, by experiment and number."""
        known, self._known = self._known, {}
        for path in find_runs(self._parent):
            name = path.relative_to(self._parent).as_posix() if path != self._parent else "/".join(path.parts[-2:])
            stamp = _stamp(path)
            if path in known and known[path][0] == stamp and known[path][1].status != "running":
                self._known[path] = known[path]
            else:
                self._known[path] = stamp, read_listed(path, name)
        return [run for _, run in self._known.values()]


def find_runs(parent: Path) -> list[Path]:
    """The folders of runs below a folder, by experiment and number.

    A run's folder has a number for its name and a file that only runs have, or is being trained in. Links to folders
    are followed, each folder once. Folders that cannot be read are passed over.
    """
    if _is_run(parent):
        return [parent]
    return sorted(_walk(parent, set(), DEEPEST), key=lambda path: (path.parent, int(path.name)))


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


def _walk(parent: Path, seen: set[tuple[int, int]], depth: int) -> Iterator[Path]:
    try:
        with os.scandir(parent) as entries:
            folders = [entry for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
            # A folder that is there twice is called by its own name, not a link's.
            below = sorted((entry.is_symlink(), entry.name) for entry in folders)
    except OSError:
        return
    for _, name in below:
        path = parent / name
        found = os.stat(path)
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        if _is_run(path):
            yield path
        elif depth:
            yield from _walk(path, seen, depth - 1)


def _is_run(path: Path) -> bool:
    return path.name.isdecimal() and path.name.isascii() and any(os.path.lexists(path / name) for name in OF_A_RUN)


def _stamp(path: Path) -> object:
    """What changes when a file does from which a record is read; None in the place of one that is not there."""
    found = []
    for name in OF_A_RUN:
        try:
            status = os.stat(path / name)
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


def _read(folder: RunFolder, name: str) -> ListedRun:
    alive = os.path.lexists(folder.mark) and is_alive(folder)
    if alive and not folder.config.is_file():
        return ListedRun(folder, name, "running", remark="it has not begun to train yet")
    summary = _read_json(folder.summary) if folder.summary.is_file() else {}
    history = History(_read_json(folder.config), start := _read_json(folder.command), list(start.get("resumes", [])))
    settings = history.settings_now()
    whole = not alive and _of_last_start(folder, summary, history)
    monitor = _monitor(settings)
    run = ListedRun(
        folder,
        name,
        status="running" if alive else summary["status"] if whole else "crashed",
        settings=settings,
        changed=tuple(dict.fromkeys(name for resume in history.resumes for name in resume["changed"])),
        tasks=tuple(sorted(name for name, weight in settings["loss_names"].items() if weight > 0)),
        seed=int(settings["seed"]),
        started=_seconds(start["started"]),
        total_steps=(history.resumes[-1] if history.resumes else start).get("total_steps"),
        monitor=monitor.name,
        more_is_better=monitor.more_is_better,
        versions=dict(start.get("versions", {})),
        remark=_remark(folder, start, alive, whole),
    )
    return _with_results(run, monitor, summary, history, whole)


def _with_results(
    run: ListedRun, monitor: Monitor, summary: Mapping[str, Any], history: History, whole: bool
) -> ListedRun:
    """A record with what the run has come to: out of the summary, if that is whole, else out of its metrics."""
    best, best_step = _best(run.folder, monitor)
    if whole and "steps" in summary:
        final = {name: math.nan if value is None else float(value) for name, value in summary["final"].items()}
        seconds, step = float(summary["wall_seconds"]), int(summary["steps"])
    else:
        last = last_points(run.folder.metrics)
        final = {name: point.value for name, point in last.items()}
        step = max((point.step for point in last.values()), default=0)
        seconds = _seconds_so_far(run, summary, history)
    tested = {name: value for name, value in final.items() if split_of(name) not in ("", *TRAINING_SPLITS)}
    return replace(run, best=best, best_step=best_step, tested=tested, seconds=seconds, step=step)


def _best(folder: RunFolder, monitor: Monitor) -> tuple[float | None, int | None]:
    """The best validation, as the best checkpoint is chosen: the first of equals, and what is no number is the worst.

    Of a test without a training there is none.
    """
    by_step: dict[int, dict[str, float]] = {}
    for name, series in series_of(folder.metrics, monitor.weights).items():
        for point in series:
            by_step.setdefault(point.step, {})[name] = point.value
    best: tuple[float, Point] | None = None
    for step in sorted(by_step):
        values = by_step[step]
        score = monitor.score(values)
        value = sum(weight * values[name] for name, weight in monitor.weights.items() if name in values)
        if score is not None and (best is None or score > best[0]):
            best = score, Point(step, 0.0, value)
    return (best[1].value, best[1].step) if best else (None, None)


def _monitor(settings: Mapping[str, Any]) -> Monitor:
    """What tells the best checkpoint; of a task that is not installed, its loss."""
    weights = {name: weight for name, weight in settings["loss_names"].items() if weight > 0}
    try:
        return Monitor.of(settings.get("monitor"), weights)
    except KeyError:
        return Monitor({f"{name}/val/loss": 1.0 for name in weights})


def _of_last_start(folder: RunFolder, summary: Mapping[str, Any], history: History) -> bool:
    """Whether a summary tells how the run ended when it was last at work, and not how it did before a resume.

    A process that is killed leaves its mark, and the summary of an earlier start. A resume that failed otherwise is
    told by the number of resumes that a summary counts; those of earlier versions count none.
    """
    if summary.get("status") not in ("finished", "interrupted") or os.path.lexists(folder.mark):
        return False
    return bool(summary.get("resumes", len(history.resumes)) == len(history.resumes))


def _seconds_so_far(run: ListedRun, summary: Mapping[str, Any], history: History) -> float | None:
    """How long a run has trained that has not written it: before its last start, and since then."""
    until = time.time() if run.status == "running" else _modified(run.folder.metrics)
    last = _seconds(history.resumes[-1]["started"]) if history.resumes else run.started
    before = float(summary.get("wall_seconds") or 0.0) if history.resumes else 0.0
    return None if until is None or last is None else before + max(until - last, 0.0)


def _remark(folder: RunFolder, start: Mapping[str, Any], alive: bool, whole: bool) -> str:
    """Say of a run on another machine that its end is known only as far as its lock can be seen from here."""
    host = start.get("host")
    if alive or whole or host in (None, os.uname().nodename) or not os.path.lexists(folder.mark):
        return ""
    return f"no lock of {host}, where it was started, can be seen from here"


def _read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of a run holds.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is too large, no JSON, or holds no values by name.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "is not there", path.name)
    with path.open("rb") as file:
        content = file.read(LARGEST_JSON + 1)
    if len(content) > LARGEST_JSON:
        raise ValueError(f"{path.name} has more than {LARGEST_JSON / 1e6:.0f} MB")
    try:
        values = from_json(content)
    except ValueError as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path.name} holds no values by name")
    return values


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _seconds(written: str) -> float:
    """A time such as "2026-11-27T00:06:12+0000" in seconds since the epoch."""
    return datetime.strptime(written, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def _in_words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename or '').name}: {error.strerror}"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error)
