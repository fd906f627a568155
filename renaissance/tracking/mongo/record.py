"""The record of a run: what MongoDB is to hold of it. Made of events, and told as events again.

In: events, dictionaries as JSON has them, with "event" and, in seconds since the epoch, "time":

    started   "uid", and what Sacred tells of the experiment, the command, the host, the settings
    resumed   "step"
    metrics   "step", "values" by name
    series    "name", and a whole series in place of what there was of it
    beat      "info"
    ended     "status", and "fail_trace" of a run that failed

Out: the run's document, and its metrics, as Sacred's `MongoObserver` writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from bson import ObjectId

from renaissance.tracking.mongo.series import Series
from renaissance.tracking.mongo.values import plain, valid_text, when

FORMAT = "MongoObserver-0.7.0"  # the layout of Sacred's that this one follows
Event = dict[str, Any]


class Record:
    """What is known of a run. Whoever shares one between threads holds a lock.

    Attributes:
        start: the event "started".
        resumes: the events "resumed".
        series: the metrics by name.
        output: what was printed, bounded.
        info: what Sacred's `info` holds, without the table of metrics.
        heartbeat: when the run last gave a sign of life; None before the first.
        end: the event "ended"; None while the run goes on.
    """

    def __init__(self, start: Event) -> None:
        self.start = start
        self.resumes: list[Event] = []
        self.series: dict[str, Series] = {}
        self.output = ""
        self.info: dict[str, Any] = {}
        self.heartbeat: float | None = None
        self.end: Event | None = None

    @property
    def uid(self) -> str:
        """What tells this run from every other one, on whatever server."""
        return str(self.start["uid"])

    def take(self, event: Event) -> None:
        """Take in an event.

        Raises:
            KeyError, TypeError, ValueError, OverflowError, RecursionError: it is none, or not whole.
        """
        kind = event["event"]
        if kind == "metrics":
            step, time = int(event["step"]), float(event["time"])
            for name, value in event["values"].items():
                self.series.setdefault(_name(name), Series()).add(step, float(value), time)
        elif kind == "series":
            self.series[_name(event["name"])] = Series.of(event)
        elif kind == "beat":
            self.info, self.heartbeat = plain(dict(event["info"])), float(event["time"])
        elif kind == "resumed":
            self.resumes.append({"step": int(event["step"]), "time": float(event["time"])})
            self.end = None
        elif kind == "ended":
            self.end = {"status": valid_text(str(event["status"])), "time": float(event["time"]), **_trace(event)}
        else:
            raise ValueError(f"no event: {kind!r}")

    def events(self) -> Iterator[Event]:
        """The events that make this record again, without its output."""
        yield self.start
        for name, series in self.series.items():
            yield {"event": "series", "name": name, **series.content()}
        for resume in self.resumes:
            yield {"event": "resumed", **resume}
        if self.heartbeat is not None:
            yield {"event": "beat", "time": self.heartbeat, "info": self.info}
        if self.end is not None:
            yield {"event": "ended", **self.end}

    def beginning(self) -> dict[str, Any]:
        """The fields of the run's document that never change, `_id` excepted."""
        start = self.start
        sources = [[name, ObjectId(digest)] for name, digest, _ in start["sources"]]
        return {
            "experiment": {**start["experiment"], "sources": sources},
            "format": FORMAT,
            "command": start["command"],
            "host": start["host"],
            "start_time": when(start["time"]),
            "config": start["config"],
            "meta": start["meta"],
            "resources": [],
            "uid": self.uid,
        }

    def progress(self) -> dict[str, Any]:
        """The fields of the run's document that change, its artefacts excepted."""
        table = [{"name": name, "id": str(self.metric_id(name))} for name in self.series]
        resumes = [{"step": resume["step"], "time": when(resume["time"])} for resume in self.resumes]
        fields = {
            "status": self.end["status"] if self.end else "RUNNING",
            "captured_out": self.output,
            "info": {**self.info, **({"metrics": table} if table else {}), **({"resumes": resumes} if resumes else {})},
            "heartbeat": None if self.heartbeat is None else when(self.heartbeat),
            "result": None,
        }
        if self.end:
            fields["stop_time"] = when(self.end["time"])
            fields.update(_trace(self.end))
        return fields

    def metric_id(self, name: str) -> ObjectId:
        """The number of a metric's document: it follows from the run and the name, so that there is never a second."""
        return object_id("metric", self.uid, name)


def object_id(*parts: str | bytes) -> ObjectId:
    """A number that follows from its parts alone."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return ObjectId(digest.digest()[:12])


def _name(name: Any) -> str:
    """The name of a metric.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is no name of a metric")
    return valid_text(name)


def _trace(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"fail_trace": [valid_text(str(line)) for line in event["fail_trace"]]} if "fail_trace" in event else {}
