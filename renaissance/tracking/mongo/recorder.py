"""What a run tells of itself, from two sides, made into one record: Sacred's events, and those of a tracker.

Sacred knows the experiment, the host, what was printed and how the run ended (`MongoObserver`, here); the run knows its
folder and its metrics (`MongoTracker`). A run that ends before it has a folder is not recorded. Nothing here raises
into a run or waits for a server, but at the end, for `mongo_wait` seconds at most.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from sacred.observers.base import RunObserver
from sacred.serializer import flatten

from renaissance.locks import AlreadyHeld, held
from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.catching_up import take_metrics_of
from renaissance.tracking.mongo.courier import Courier, say
from renaissance.tracking.mongo.journal import Journal
from renaissance.tracking.mongo.output import bounded
from renaissance.tracking.mongo.record import Event, Record, object_id
from renaissance.tracking.mongo.sender import Sender
from renaissance.tracking.mongo.values import number, plain, seconds_of, valid_text
from renaissance.tracking.pace import Pace, drawn
from renaissance.tracking.trackers.interface import RunStart, Tracker

LOCK_SECONDS = 10.0  # to wait for a `sync` that is just sending what an interrupted run left


class MongoObserver(RunObserver):
    """Records a run, in its folder and on a server.

    Args:
        address: the server.
        wait: the most seconds to wait for the server at the end of the run.
        checkpoints: whether checkpoints are sent too.
    """

    priority = 30  # Sacred's own MongoObserver's

    def __init__(self, address: Address, wait: float, checkpoints: bool) -> None:
        self._address = address
        self._seconds = wait
        self._checkpoints = checkpoints
        self._lock = Lock()
        self._held = ExitStack()
        self._courier = Courier(address)
        self._start: Event | None = None
        self._sources: dict[str, bytes] = {}
        self._asked_for: int | str | None = None
        self._record: Record | None = None
        self._journal: Journal | None = None  # None too when the disk no longer takes it
        self._folder: Path | None = None
        self._before = ""  # what was printed before the run was resumed

    def tracker(self) -> Tracker:
        """The tracker that tells this observer of the run's folder and its metrics."""
        return MongoTracker(self)

    def started_event(
        self,
        ex_info: Mapping[str, Any],
        command: str,
        host_info: Mapping[str, Any],
        start_time: datetime,
        config: Mapping[str, Any],
        meta_info: Mapping[str, Any],
        _id: Any,
    ) -> None:
        """Take in what Sacred knows of the run; it gets its number only from the server."""
        self._asked_for = _id
        self._start = {
            "event": "started",
            "uid": secrets.token_hex(16),
            "time": seconds_of(start_time),
            "experiment": plain(dict(ex_info)),
            "command": command,
            "host": plain(dict(host_info)),
            "config": plain(flatten(config)),
            "meta": plain(flatten(meta_info)),
            "sources": self._read_sources(ex_info),
        }
        self._courier.start()

    def _read_sources(self, experiment: Mapping[str, Any]) -> list[list[str]]:
        """The source files' names, their numbers on a server, and their paths; their contents are kept aside."""
        sources = []
        for name, _ in experiment["sources"]:
            path = str(Path(experiment["base_dir"]) / name)
            try:
                content = Path(path).read_bytes()
            except OSError:  # it went since the run began
                continue
            digest = str(object_id("source", path, content))
            self._sources[digest] = content
            sources.append([name, digest, path])
        return sources

    def begin(self, run: RunStart) -> None:
        """Take in that the run has a folder, and goes on from a step there or starts."""
        assert self._start is not None
        self._folder = run.folder.path
        journal = Journal(self._folder)
        if not self._taken(journal):
            say(f"warning: {journal.lock}: another process is sending this run's record; this part is not recorded")
            return
        earlier = None if run.resumed_step is None else journal.read()
        record = earlier or Record(self._start)
        if run.resumed_step is not None:
            take_metrics_of(record, run.folder)
        if earlier is not None:
            record.take({"event": "resumed", "step": run.resumed_step, "time": self._start["time"]})
            self._before = f"{record.output}\n--- resumed at step {run.resumed_step} ---\n"
        elif self._sources:
            journal.keep_sources(self._sources)
        self._sources = {}
        journal.write(record)
        self._record, self._journal = record, journal
        sender = Sender(self._address, journal, record, self._lock, self._checkpoints, self._asked_for)
        self._courier.carry(sender, kept_in=str(journal.folder))

    def _taken(self, journal: Journal) -> bool:
        """Take the journal's lock for as long as this run is recorded."""
        journal.folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                self._held.enter_context(held(journal.lock))
            except AlreadyHeld:
                if time.monotonic() > until:
                    return False
                time.sleep(0.2)
            else:
                return True

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Take in metrics of a step."""
        self._note({"event": "metrics", "step": int(step), "time": time.time(), "values": _numbers(values)})

    def heartbeat_event(self, info: Mapping[str, Any], captured_out: str, beat_time: datetime, result: Any) -> None:
        """Take in what was printed, every ten seconds and at the end."""
        if self._record is None:
            return
        output = bounded(self._before + captured_out)
        with self._lock:
            changed, self._record.output = output != self._record.output, output
        self._note({"event": "beat", "time": seconds_of(beat_time), "info": plain(flatten(info))})
        with self._lock:
            if self._journal is not None and changed:
                self._keep(self._journal.write_output, output)
            if self._journal is not None:
                self._keep(self._journal.to_disk)
            if self._journal is not None and self._journal.is_long:
                self._keep(self._journal.write, self._record)

    def completed_event(self, stop_time: datetime, result: Any) -> None:
        self._end("COMPLETED", stop_time)

    def interrupted_event(self, interrupt_time: datetime, status: str) -> None:
        self._end(status, interrupt_time)

    def failed_event(self, fail_time: datetime, fail_trace: list[str]) -> None:
        self._end("FAILED", fail_time, fail_trace=[valid_text(line) for line in fail_trace])

    def _end(self, status: str, stop_time: datetime, **trace: Any) -> None:
        self._note({"event": "ended", "status": status, "time": seconds_of(stop_time), **trace})

    def join(self) -> None:
        """Wait for the server, for a while, and say what is not sent."""
        if self._record is not None and not self._courier.finish(self._seconds):
            assert self._folder is not None
            reason = self._courier.reason or f"it takes longer than mongo_wait={self._seconds:g}"
            say(
                f"warning: MongoDB {self._address.server}: not all of this run's record is sent ({reason}). It is kept "
                f"in {self._folder}; to send it:\n  python run.py sync with mongo_url={self._address.url} "
                f"'runs=[\"{self._folder}\"]'"
            )
        self._courier.leave()
        with self._lock:
            if self._journal is not None:
                self._journal.close()
        self._held.close()

    def _note(self, event: Event) -> None:
        with self._lock:
            if self._record is None:
                return
            self._record.take(event)
            if self._journal is not None:
                self._keep(self._journal.append, event)

    def _keep(self, write: Any, *content: Any) -> None:
        """Write something of the journal; where the disk does not take it, say so once and go on without."""
        try:
            write(*content)
        except Exception as error:  # a full disk, a folder that is gone
            self._journal = None
            say(f"warning: {self._folder}: the record for MongoDB can no longer be kept there ({error})")


class MongoTracker(Tracker):
    """Tells a `MongoObserver` of the run's folder and its metrics.

    Args:
        observer: whom.
    """

    name = "mongo"

    def __init__(self, observer: MongoObserver) -> None:
        self._observer = observer

    def start(self, run: RunStart) -> None:
        try:
            self._observer.begin(run)
        except Exception as error:  # no run is refused for its record's sake: a full disk, say
            say(f"warning: {run.folder.path}: no record for MongoDB can be kept there ({error})")

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        self._observer.log(step, values)

    def pace(self, pace: Pace) -> None:
        """Hand on learning rate, gradient norm and speed, as `pace/<name>`."""
        self._observer.log(pace.step, drawn(pace))


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as plain numbers; what is none is left out."""
    numbers: dict[str, float] = {}
    for name, value in values.items():
        try:
            numbers[valid_text(name)] = number(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return numbers
