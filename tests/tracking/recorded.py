"""Runs that are recorded in MongoDB without a training: what Sacred and a run would tell, told by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.recorder import MongoObserver
from renaissance.tracking.trackers.metrics_file import MetricsFile
from tests.tracking.started import run_start

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENT = {
    "name": "renaissance", "base_dir": str(REPOSITORY), "sources": [["run.py", "0" * 32]],
    "dependencies": ["sacred==0.8.7"], "repositories": [], "mainfile": "config.py",
}  # fmt: skip


class RecordedRun:
    """A run in the folder `path`, from its start on.

    Args:
        path: the run's folder.
        url: the MongoDB.
        wait: the seconds to wait at the end.
        resumed_step: where it goes on; None for a new run.
        checkpoints: whether these are sent.
        number: the number asked for with -i.
    """

    def __init__(
        self,
        path: Path,
        url: str,
        wait: float = 20,
        resumed_step: int | None = None,
        checkpoints: bool = False,
        number: str | None = None,
    ) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.observer = MongoObserver(Address.of_url(url), wait, checkpoints)
        config = {"seed": 0, "exp_name": "recorded"}
        self.observer.started_event(
            EXPERIMENT, "main", {"hostname": "here"}, utc(), config, {"command": "main"}, number
        )
        start = run_start(path, resumed_step=resumed_step, validated_step=resumed_step or 0)
        self._metrics, self._tracker = MetricsFile(), self.observer.tracker()
        self._metrics.start(start)
        self._tracker.start(start)
        (path / "config.json").write_text(json.dumps(config))

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Log metrics, to `metrics.csv` and to the record."""
        self._metrics.log(step, step / 10, values)
        self._tracker.log(step, step / 10, values)

    def losses(self, *steps: int) -> None:
        """Log a loss a step, which tells its step."""
        for step in steps:
            self.log(step, {"itm/train/loss": step / 100})

    def beat(self, output: str = "", **info: Any) -> None:
        self.observer.heartbeat_event(info, output, utc(), None)

    def complete(self) -> None:
        self.observer.completed_event(utc(), None)
        self.observer.join()

    def interrupt(self) -> None:
        self.observer.interrupted_event(utc(), "INTERRUPTED")
        self.observer.join()

    def fail(self) -> None:
        self.observer.failed_event(utc(), ["Traceback\n", "ValueError: no\n"])
        self.observer.join()

    def killed(self) -> None:
        """End as a process does that is killed: nothing is said or sent any more."""
        self.observer._courier.leave()
        self.observer._held.close()


def utc() -> datetime:
    """Now, as Sacred has it."""
    return datetime.utcnow()


def steps_on(database: Any, name: str = "itm/train/loss", run: int = 1) -> list[int]:
    """The steps of a metric of a run on the server."""
    found = list(database.metrics.find({"run_id": run, "name": name}))
    assert len(found) <= 1
    return list(found[0]["steps"]) if found else []


def until(true: Any, seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
