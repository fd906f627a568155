"""Sets of runs that take milliseconds: their scheduler and searches are ours, the runs are of `fake_run.py`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config import ex
from renaissance.run_sets import seeds_table
from renaissance.run_sets.command_line import CommandLine
from renaissance.run_sets.seeds import run_seeds
from renaissance.run_sets.sweeping import results
from renaissance.run_sets.sweeping.sweep import sweep
from renaissance.settings import Settings, check_settings
from renaissance.stop_signals import STOP
from tests.run_sets import fake_run

FAKE = Path(fake_run.__file__)


@dataclass
class Sets:
    """Starts sets of fake runs as the command line does.

    Attributes:
        log_dir: where runs and sets go.
    """

    log_dir: Path

    def settings(self, command: str, **given: Any) -> Settings:
        values = {**ex.configurations[0](), "log_dir": str(self.log_dir), "num_gpus": 0}
        for name in ("task_itm", "scenes", "tiny"):
            values.update(ex.named_configs[name](preset=values))
        return check_settings({**values, **given}, command)

    def command_line(self, **given: Any) -> CommandLine:
        words = ("task_itm", "scenes", "tiny", *(f"{name}={value!r}" for name, value in given.items()))
        return CommandLine(str(FAKE), (), words)

    def seeds(self, *seeds: int, **given: Any) -> Path:
        """Run a set of seeds; gives its folder."""
        given["seeds"] = list(seeds)
        with STOP.in_charge():
            run_seeds(self.settings("train", **given), self.command_line(**given))
        return self.newest("seeds")

    def sweep(self, space: dict[str, Any], **given: Any) -> Path:
        """Run a sweep; gives its folder."""
        given["sweep"] = space
        with STOP.in_charge():
            sweep(self.settings("sweep", **given), self.command_line(**given))
        return self.newest("sweeps")

    def newest(self, kind: str) -> Path:
        return max((self.log_dir / kind).iterdir(), key=lambda path: int(path.name))

    def record(self, kind: str) -> dict[str, Any]:
        """What the newest set wrote down."""
        content: dict[str, Any] = json.loads((self.newest(kind) / "set.json").read_text())
        return content

    def metrics(self) -> dict[str, str]:
        """Of each run its metrics, by seed and learning rate."""
        found = {}
        for path in sorted((self.log_dir / "itm").iterdir()):
            words = json.loads((path / "config.json").read_text())["words"]
            assert json.loads((path / "summary.json").read_text())["status"] == "finished"
            found[f"{words.get('seed')} {words.get('learning_rate')}"] = (path / "metrics.csv").read_text()
        return found

    def states(self, kind: str) -> list[str]:
        return [run["state"] for run in self.record(kind)["runs"]]


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer than all else; tests of them call what draws."""
    monkeypatch.setattr(seeds_table, "draw_comparison", lambda runs, folder, look: [])
    monkeypatch.setattr(results, "draw_parallel", lambda finished, space, objective, path: path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The metrics of seeds 0, 1 and 2 where nothing is killed."""
    tmp = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeds_table, "draw_comparison", lambda runs, folder, look: [])
        patch.setenv("FAKE_LOG", str(tmp / "steps"))
        patch.setenv("FAKE_PAUSE", "0")
        patch.setenv("PYTHONPATH", str(FAKE.parents[2]))
        other = Sets(tmp / "result")
        other.seeds(0, 1, 2, runs_at_once=2)
        return other.metrics()


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sets:
    """Starts sets in a folder of the test's own."""
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "steps"))
    monkeypatch.setenv("PYTHONPATH", str(FAKE.parents[2]))
    return Sets(tmp_path / "result")


@pytest.fixture
def forked() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Starts work in a process forked off this one; gives its number. It ends with the test."""
    children: list[int] = []

    def fork(work: Callable[[], object]) -> int:
        child = os.fork()
        if child:
            children.append(child)
            return child
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        status = 1
        try:
            work()
            status = 0
        except KeyboardInterrupt:
            status = 130
        finally:
            os._exit(status)

    yield fork
    for child in children:
        try:
            os.kill(child, 9)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            continue
