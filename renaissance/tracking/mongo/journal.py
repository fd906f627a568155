r"""The journal of a record: the folder `mongo/` of a run's, from which the record can be made again and sent later.

    journal.jsonl   an event a line, appended as it comes; written anew, shorter, when it has become long
    output.txt      what was printed, bounded
    sources.zip     the source files as they were when the run began
    servers.json    under which number which server has the record
    lock            held while a run or `sync` is at work on it

JSON alone, and nothing in it is believed before it is checked: what goes into a document passes `values.plain`.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from renaissance.atomic_files import whole_file
from renaissance.tracking.mongo.output import HEAD_BYTES, TAIL_BYTES, bounded
from renaissance.tracking.mongo.record import Event, Record
from renaissance.tracking.mongo.values import plain, valid_text

FOLDER = "mongo"  # in the run's folder
LARGEST_SOURCE = 16 * 1024 * 1024  # bytes; larger source files are no source files
LARGEST_SOURCES = 64 * 1024 * 1024  # bytes of all of them, unpacked
MOST_SOURCES = 10_000
LONGEST_LINE = 16 * 1024 * 1024  # characters; a run's document could not hold more
LONG_BYTES = 16 * 1024 * 1024  # that a journal may grow by before it is written anew


class Journal:
    """The files of a record.

    Args:
        run: the run's folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.folder = run / FOLDER
        self.events = self.folder / "journal.jsonl"
        self.output = self.folder / "output.txt"
        self.sources = self.folder / "sources.zip"
        self.lock = self.folder / "lock"
        self._servers = self.folder / "servers.json"
        self._file: IO[bytes] | None = None
        self._size, self._long = 0, 0

    def read(self) -> Record | None:
        """The record that the journal holds; None where there is none that can be read.

        A line that is not whole is left out: the last one of a process that was killed, or one that was damaged.
        """
        record: Record | None = None
        try:
            with self.events.open(encoding="utf-8", errors="replace") as file:
                for line in iter(lambda: file.readline(LONGEST_LINE), ""):
                    with suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
                        event = json.loads(line)
                        if record is None:
                            record = Record(_checked_start(event))
                        else:
                            record.take(event)
        except OSError:
            return None
        if record is not None:
            with suppress(OSError), self.output.open(encoding="utf-8", errors="replace") as file:
                record.output = bounded(file.read(2 * (HEAD_BYTES + TAIL_BYTES)))
        return record

    def write(self, record: Record) -> None:
        """Write the whole record, in as few lines as it takes, in place of what there was.

        Raises:
            OSError: the disk does not take it.
        """
        with whole_file(self.events) as temporary, temporary.open("wb") as file:
            for event in record.events():
                file.write(_line(event))
        self.write_output(record.output)
        self.close()
        self._file = self.events.open("ab", buffering=0)
        self._size = self.events.stat().st_size
        self._long = 2 * self._size + LONG_BYTES

    def append(self, event: Event) -> None:
        """Add an event. It is with the system then, and lost only if the machine stops before the next `to_disk`.

        Raises:
            OSError: the disk does not take it.
        """
        assert self._file is not None
        line = _line(event)
        self._size += len(line)
        self._file.write(line)

    @property
    def is_long(self) -> bool:
        """Whether it is time to `write` the record anew."""
        return self._size > self._long > 0

    def to_disk(self) -> None:
        """Wait until what was appended is on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())

    def write_output(self, text: str) -> None:
        """Write what was printed so far."""
        with whole_file(self.output, durable=False) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")

    def keep_sources(self, contents: Mapping[str, bytes]) -> None:
        """Keep source files, by the hexadecimal numbers that they will have on a server."""
        with whole_file(self.sources) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, content in contents.items():
                archive.writestr(number, content)

    def source_files(self) -> dict[str, bytes]:
        """The source files that were kept, by their numbers; none where they cannot be read, or are too much."""
        try:
            with zipfile.ZipFile(self.sources) as archive:
                small = [entry for entry in archive.infolist() if entry.file_size <= LARGEST_SOURCE]
                if len(small) > MOST_SOURCES or sum(entry.file_size for entry in small) > LARGEST_SOURCES:
                    return {}
                return {entry.filename: archive.read(entry) for entry in small}
        # A RuntimeError is that of an encrypted file, a NotImplementedError that of an unknown compression.
        except (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError):
            return {}

    def number_on(self, server: str) -> int | str | None:
        """The number that the record has on a server, or was about to have; None where none was chosen yet."""
        number = self._numbers().get(server)
        return number if isinstance(number, int | str) and not isinstance(number, bool) else None

    def keep_number(self, server: str, number: int | str) -> None:
        """Keep the number of the record on a server, before it is asked for: its answer may be lost."""
        text = json.dumps({**self._numbers(), server: number}, indent=2)
        with whole_file(self._servers) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def _numbers(self) -> dict[str, Any]:
        try:
            content = json.loads(self._servers.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def close(self) -> None:
        """Close the file that events are appended to."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(event: Event) -> bytes:
    """NaN and infinity are written as JavaScript has them, which Python's JSON reads."""
    return json.dumps(event, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _checked_start(event: Any) -> Event:
    """The first event, with everything in it that a document is made of.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    if event["event"] != "started" or not re.fullmatch(r"[0-9a-f]{32}", event["uid"]):
        raise ValueError("a journal begins with the event started")
    sources = [[valid_text(str(part)) for part in source] for source in event["sources"]]
    if not all(re.fullmatch(r"[0-9a-f]{24}", number) for _, number, _ in sources):
        raise ValueError("no source files")
    mappings = {name: plain(dict(event[name])) for name in ("experiment", "host", "config", "meta")}
    start = {
        "event": "started",
        "uid": event["uid"],
        "time": float(event["time"]),
        "command": valid_text(str(event["command"])),
    }
    return {**start, **mappings, "sources": sources}
