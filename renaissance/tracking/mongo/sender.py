"""Brings a server to what a record says. It may be asked any number of times, and does nothing twice.

A write whose answer is lost may have been done or not. So nothing here rests on how often it is done: the run's number
is kept before it is asked for, and is ours where the run there has our `uid`; a metric's new points are added only to a
series that is as long as it has to be, which is otherwise replaced as a whole; files have numbers that follow from what
is in them. What was sent is believed only as long as nothing fails, and when the run has ended all of it is looked at
once more, for a server that was killed may have lost what it had confirmed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError

from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.artefacts import artefacts
from renaissance.tracking.mongo.files import (
    CHUNK_BYTES,
    content_type_of,
    digest_of,
    make_indexes,
    put_file,
    put_small_files,
    remove_others,
)
from renaissance.tracking.mongo.journal import Journal
from renaissance.tracking.mongo.record import Record, object_id
from renaissance.tracking.mongo.series import Series
from renaissance.tracking.mongo.values import when

METRICS = "metrics"  # the collection, as Sacred has it whatever that of the runs is called
ARTEFACT_SECONDS = 60.0  # between two looks for new artefacts while a run goes on


class Sender:
    """Sends one record to one server. Only one thread calls it.

    Args:
        address: the server.
        journal: where the record lies.
        record: what is to be there.
        lock: held by whoever reads or changes the record.
        checkpoints: whether checkpoints are sent at the end.
        asked_for: the number that the run is to have, if it is free; None for the next.
    """

    def __init__(
        self,
        address: Address,
        journal: Journal,
        record: Record,
        lock: Lock,
        checkpoints: bool,
        asked_for: int | str | None = None,
    ) -> None:
        self.address = address
        self.number: int | str | None = None  # of the run on the server, once it is there
        self._journal = journal
        self._record = record
        self._lock = lock
        self._checkpoints = checkpoints
        self._asked_for = asked_for
        self._client: MongoClient[Any] | None = None
        self._artefacts: list[dict[str, Any]] = []
        self._digests: dict[Path, tuple[tuple[int, int], bytes]] = {}  # of files that were read, by time and size
        self._looked = -ARTEFACT_SECONDS
        self.forget()

    def forget(self) -> None:
        """Believe nothing any more of what the server has."""
        self._sent: dict[str, _State] = {}  # of metrics
        self._fields: dict[str, Any] = {}  # of the run's document, as it is there
        self._files: set[ObjectId] = set()  # that are there
        self._indexed = self._sources_sent = False
        self.number = None

    def close(self) -> None:
        """Let go of the server."""
        if self._client is not None:
            self._client.close()

    def send(self) -> None:
        """Send what the server lacks.

        Raises:
            PyMongoError, OSError: something of it was not sent. What can be sent without it has been.
        """
        database = self._database()
        with self._lock:
            ended = self._record.end is not None
        if self.number is None:
            self._claim(database)
        failed: list[Exception] = []
        steps: list[Callable[[Database[Any]], None]] = [self._send_metrics, self._send_progress, self._send_sources]
        if ended or time.monotonic() - self._looked >= ARTEFACT_SECONDS:
            steps += [self._send_artefacts, self._send_progress]
        for step in steps:
            try:
                step(database)
            except ConnectionFailure:
                raise
            except (PyMongoError, OSError, OverflowError, ValueError) as error:  # of this part: others may do better
                failed.append(error)
        if failed:
            raise failed[0]

    def was_there(self) -> bool:
        """Whether the server has the record's metrics and how it ended from before, its files aside.

        Raises:
            PyMongoError: it cannot be asked.
        """
        self.number = self._journal.number_on(self.address.server)
        return self.number is not None and self.check()

    def check(self) -> bool:
        """Whether the server has all of the record; what it lacks is sent by the next `send`.

        Raises:
            PyMongoError: it cannot be asked.
        """
        database = self._database()
        run = database[self.address.collection].find_one({"_id": self.number}, {"uid": 1, "status": 1})
        if run is None or run.get("uid") != self._record.uid:
            self.forget()
            return False
        ends = {"$project": {"size": {"$size": "$steps"}, "last": {"$arrayElemAt": ["$steps", -1]}}}
        found = database[METRICS].aggregate([{"$match": {"run_id": self.number}}, ends])
        lengths = {document["_id"]: (document["size"], document["last"]) for document in found}
        with self._lock:
            metrics = self._record.series.items()
            expected = {self._record.metric_id(name): (len(series), series.steps[-1]) for name, series in metrics}
            status = self._record.progress()["status"]
        files = set(self._files)
        there = {entry["_id"] for entry in database["fs.files"].find({"_id": {"$in": list(files)}}, {"_id": 1})}
        if lengths == expected and run.get("status") == status and there == files:
            return True
        self.forget()
        return False

    def _database(self) -> Database[Any]:
        if self._client is None:
            self._client = self.address.client()
        return self._client[self.address.database]

    def _claim(self, database: Database[Any]) -> None:
        """Find the run's document, or make it under the next free number."""
        runs, server = database[self.address.collection], self.address.server
        with self._lock:
            document = {**self._record.beginning(), **self._record.progress(), "artifacts": []}
        number = self._journal.number_on(server)
        if number is None and self.address.number is not None:
            self._journal.keep_number(server, self.address.number)
            runs.replace_one({"_id": self.address.number}, {"_id": self.address.number, **document}, upsert=True)
            self.number = self.address.number
            return
        number = number if number is not None else self._asked_for
        number = number if number is not None else self._next_number(database)
        while True:
            self._journal.keep_number(server, number)
            try:
                runs.insert_one({"_id": number, **document})
            except DuplicateKeyError:
                there = runs.find_one({"_id": number}, {"uid": 1})
                if there is None or there.get("uid") != self._record.uid:
                    number = self._next_number(database)
                    continue
            else:
                self._fields = dict(document)
            self.number = number
            return

    def _next_number(self, database: Database[Any]) -> int:
        """One more than the largest number, as Sacred counts."""
        numbers = database[self.address.collection].find({"_id": {"$type": "number"}}, {"_id": 1})
        largest = next(iter(numbers.sort("_id", DESCENDING).limit(1)), None)
        return int(largest["_id"]) + 1 if largest else 1

    def _send_metrics(self, database: Database[Any]) -> None:
        collection = database[METRICS]
        if not self._sent:
            collection.create_index([("run_id", ASCENDING), ("name", ASCENDING)])
        with self._lock:
            states = {name: _state(series) for name, series in self._record.series.items()}
        for name in (name for name, state in states.items() if state != self._sent.get(name)):
            there = self._sent.pop(name, None)
            with self._lock:
                series, number = self._record.series[name], self._record.metric_id(name)
                appendable = there is not None and there.stride == series.stride
                first = there.length if there is not None and appendable else 0
                state, new = _state(series), _lists(series, first)
            if not appendable or not self._appended(collection, number, first, new):
                with self._lock:
                    state, whole = _state(series), _lists(series, 0)
                document = {"_id": number, "run_id": self.number, "name": name, **whole}
                collection.replace_one({"_id": number}, document, upsert=True)
            self._sent[name] = state

    def _appended(self, collection: Any, number: ObjectId, there: int, new: dict[str, list[Any]]) -> bool:
        """Add points to a series of a known length; whether it had that length."""
        push = {"$push": {field: {"$each": points} for field, points in new.items()}}
        found = {"_id": number, "run_id": self.number, "steps": {"$size": there}}
        return bool(collection.update_one(found, push).matched_count)

    def _send_progress(self, database: Database[Any]) -> None:
        """Write what has changed of the run's document."""
        with self._lock:
            fields = {**self._record.progress(), "artifacts": self._artefacts}
        new = {name: value for name, value in fields.items() if self._fields.get(name, self) != value}
        gone = {name: "" for name in ("stop_time", "fail_trace") if name not in fields}  # of a leg before
        if not new:
            return
        self._fields = {}
        update = {"$set": new, **({"$unset": gone} if gone else {})}
        ours = {"_id": self.number, "uid": self._record.uid}
        if not database[self.address.collection].update_one(ours, update).matched_count:
            self.forget()  # somebody removed it: it is made again, from the beginning
            self._claim(database)
            raise OSError("the run is no longer there; it is sent again")
        self._fields = fields

    def _send_sources(self, database: Database[Any]) -> None:
        """Send the source files: the small ones all at once, for there are hundreds."""
        small: dict[ObjectId, tuple[str, bytes]] = {}
        contents = self._journal.source_files() if not self._sources_sent else {}
        for _, number, path in self._record.start["sources"]:
            content = contents.get(number)
            if content is not None and len(content) <= CHUNK_BYTES:
                small[ObjectId(number)] = path, content
            elif content is not None:
                self._put(database, ObjectId(number), path, lambda content=content: io.BytesIO(content), None)
        if small:
            self._index(database)
            put_small_files(database, small)
        self._files.update(small)
        self._sources_sent = True

    def _send_artefacts(self, database: Database[Any]) -> None:
        """Send the files that are new or have changed; the run's document names them afterwards."""
        with self._lock:
            ended = self._record.end is not None
        found = []
        for name, path in artefacts(self._journal.run, ended, self._checkpoints):
            number = object_id("artifact", self._record.uid, name, self._digest(path))
            filename = f"artifact://{self.address.collection}/{self.number}/{name}"
            if number not in self._files:
                self._put(database, number, filename, lambda path=path: path.open("rb"), content_type_of(path))
                remove_others(database, filename, number)
            found.append({"name": name, "file_id": number})
        self._artefacts = found
        self._looked = time.monotonic()

    def _put(
        self, database: Database[Any], number: ObjectId, filename: str, opened: Any, content_type: str | None
    ) -> None:
        self._index(database)
        put_file(database, number, filename, opened, content_type)
        self._files.add(number)

    def _index(self, database: Database[Any]) -> None:
        if not self._indexed:
            make_indexes(database)
            self._indexed = True

    def _digest(self, path: Path) -> bytes:
        """The digest of a file, computed again only when the file has changed."""
        status = path.stat()
        known, digest = self._digests.get(path, (None, b""))
        if known != (status.st_mtime_ns, status.st_size):
            digest = digest_of(path)
            self._digests[path] = (status.st_mtime_ns, status.st_size), digest
        return digest


class _State(NamedTuple):
    """What tells one state of a growing series from another."""

    length: int
    stride: int


def _state(series: Series) -> _State:
    return _State(len(series), series.stride)


def _lists(series: Series, first: int) -> dict[str, list[Any]]:
    """A series as Sacred's document has it, from a point on."""
    return {
        "steps": series.steps[first:].tolist(),
        "values": series.values[first:].tolist(),
        "timestamps": [when(time) for time in series.times[first:]],
    }
