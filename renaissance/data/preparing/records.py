"""Text files with a record a line, as CSV or as JSON objects: a bad line costs that line, and is listed.

In: such a file, and a function that makes something of a record. Out: what it made, and the lines that cannot be used.
Lines are parsed one by one, so that a quote that nobody closed cannot swallow those behind it.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar, cast

from renaissance.data.preparing.rejected import Listed, Rejected, check_rejected, list_rejected
from renaissance.data.sets.interface import PrepareOptions
from renaissance.data.tables.table import is_complete
from renaissance.errors import UserError

Item = TypeVar("Item")
Record = dict[str, Any]

JSON_LINES = (".jsonl", ".ndjson")

_MOST_CHARACTERS = 16 << 20  # of a line, and of a record
_EVERY_LINE = re.compile("")  # ends a record
_MOST_LINES = 1000  # of a record with faults
_UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")  # its first two bytes, as `surrogateescape` gives them


class RecordFile:
    """A file of records: JSON lines if it is called so (`.jsonl`), otherwise CSV with a header.

    Attributes:
        path: the file.
        rows: how many records were read, the rejected ones among them.
        rejected: the lines that cannot be used, with the reason.
    """

    def __init__(self, path: Path, last_line: re.Pattern[str] | None = None):
        """Args:
        path: the file.
        last_line: found in the last line of every CSV record, where quoted text may run over several lines; None
            where it may not.
        """
        self.path = path
        self.rows = 0
        self.rejected: list[Listed] = []
        self._last_line = _EVERY_LINE if last_line is None else last_line

    def read(self, use: Callable[[Record], Item]) -> Iterator[Item]:
        """What `use` makes of each record; one for which it raises Rejected is listed.

        Raises:
            UserError: the file cannot be read, or is no UTF-8 text from its first line on.
        """
        with closing(read_records(self.path, self._last_line)) as records:
            for line, record in records:
                self.rows += 1
                try:
                    if isinstance(record, Rejected):
                        raise record
                    item = use(record)
                except Rejected as error:
                    self.rejected.append((f"{self.path}, {line}", str(error)))
                    continue
                yield item

    def check(self, table: str, options: PrepareOptions) -> None:
        """Refuse the file if too many of its lines were rejected; they stand in the table's list then.

        A table that is there and complete was written with them, is kept, and so is its list.

        Raises:
            UserError: they are more than `max_rejected_fraction`.
        """
        if is_complete(options.data_root / f"{table}.arrow"):
            return
        try:
            check_rejected(str(self.path), self.rejected, self.rows, table, options)
        except UserError:
            list_rejected(table, self.rejected, options)
            raise


def read_records(
    path: Path, last_line: re.Pattern[str] | None, progress: Callable[[int], None] = lambda position: None
) -> Generator[tuple[str, Record | Rejected], None, None]:
    """The records of a file, one by one: JSON lines by its ending (`.jsonl`, `.ndjson`), otherwise CSV with a header.

    Args:
        path: the file.
        last_line: found in the last line of every CSV record; None where quoted text may have any lines, so that a
            quote that nobody closed is known only by what follows it. It then costs its own line all the same.
        progress: is told now and then how many bytes were read.

    Yields:
        the lines of a record in words, such as "line 17", and the record, or why it is none.

    Raises:
        UserError: the file cannot be read, or is no UTF-8 text from its first line on, or has no header.
    """
    try:
        # Bytes that are no UTF-8 come as surrogates, and are then the fault of their line.
        # Where quoted text may have any lines, its line ends stay as they are.
        newline = "" if last_line is None else None
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
            lines = _Lines(file)
            if lines.peek().startswith(_UTF_16):
                raise UserError(f"{path} is UTF-16 text. Save it as UTF-8.")
            parse = _json_record if path.suffix.lower() in JSON_LINES else _csv_parser(path, lines, last_line)
            while lines.skip_blank():
                number = lines.number + 1
                found: Record | Rejected
                try:
                    found = parse(lines)
                except Rejected as error:
                    found = error
                progress(cast(BinaryIO, file.buffer).tell())
                yield (f"lines {number} to {lines.number}" if lines.number > number else f"line {number}"), found
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def csv_header(path: Path) -> list[str]:
    """The names of a CSV file's columns.

    Raises:
        UserError: it cannot be read, is empty, or names a column twice.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            lines = _Lines(file)
            if lines.peek().startswith(_UTF_16):
                raise UserError(f"{path} is UTF-16 text. Save it as UTF-8.")
            return _csv_header(path, lines, None)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _csv_header(path: Path, lines: _Lines, last_line: re.Pattern[str] | None) -> list[str]:
    if not lines.skip_blank():
        raise UserError(f"{path} is empty.")
    try:
        header = [name.strip() for name in _csv_fields(lines, last_line)]
        if len(set(header)) < len(header):
            raise Rejected(f"a column is named twice: {', '.join(header)}")
    except Rejected as error:
        raise UserError(f"{path}, line {lines.number}, the names of the columns: {error}.") from None
    return header


def _csv_parser(path: Path, lines: _Lines, last_line: re.Pattern[str] | None) -> Callable[[_Lines], Record]:
    header = _csv_header(path, lines, None if last_line is None else _EVERY_LINE)
    lines.spaces_are_text = last_line is None and len(header) == 1

    def parse(lines: _Lines) -> Record:
        fields = _csv_fields(lines, last_line)
        if len(fields) != len(header):
            count = f"{len(fields)} field{'s' if len(fields) > 1 else ''}"
            raise Rejected(f"it has {count} where the header has {len(header)}: a text with a comma needs quotes")
        return dict(zip(header, fields, strict=True))

    return parse


class _Lines:
    """The lines of a file, which can be given back.

    Attributes:
        number: of the line that was taken last; the first is 1.
        spaces_are_text: a line of spaces is not blank, as the only field of a record it may be.
    """

    def __init__(self, file: TextIO):
        self.number = 0
        self.spaces_are_text = False
        self._file = file
        self._waiting: deque[str] = deque()

    def peek(self) -> str:
        """The next line; empty at the end."""
        if not self._waiting:
            self._waiting.append(self._file.readline(_MOST_CHARACTERS))
            part = self._waiting[-1]
            while len(part) == _MOST_CHARACTERS and not part.endswith(("\n", "\r")):  # leave out what is too much of it
                part = self._file.readline(_MOST_CHARACTERS)
        return self._waiting[0]

    def take(self) -> str:
        """The next line; empty at the end."""
        line = self.peek()
        if line:
            self._waiting.popleft()
            self.number += 1
        return line

    def give_back(self, lines: Sequence[str]) -> None:
        """Have `lines`, which were taken last, taken again."""
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)

    def skip_blank(self) -> bool:
        """Go to the next line with something in it; False where there is none."""
        while self.peek() and not self.peek().strip("\r\n" if self.spaces_are_text else None):
            self.take()
        return bool(self.peek())


def _csv_fields(lines: _Lines, last_line: re.Pattern[str] | None) -> list[str]:
    """The fields of the next record. Raises Rejected, having taken the lines up to the one that ends the record."""
    taken: list[str] = []

    def ends(line: str) -> bool:
        return last_line is not None and last_line.search(line) is not None

    def asked_for() -> Iterator[str]:  # the reader asks for a further line only where a quote is open
        characters = 0
        while len(taken) < _MOST_LINES and characters < _MOST_CHARACTERS and (line := lines.take()):
            taken.append(line)
            characters += len(line)
            yield _sound(line)
            if ends(line):
                raise Rejected("a quote is open at the end of the line")
        raise Rejected("a quote is open, and nothing closes it")

    try:
        return next(csv.reader(asked_for(), strict=True))
    except (csv.Error, Rejected) as error:
        while last_line is not None and not ends(taken[-1]):
            line = lines.take()
            taken += [line] if line else []
            if not line or len(taken) > _MOST_LINES:  # no record ends as expected: count its first line alone
                lines.give_back(taken[1:])
                break
        if last_line is None:  # nothing says where it should have ended
            lines.give_back(taken[1:])
        too_long = f"a field has more than {csv.field_size_limit():,} characters"
        raise Rejected(too_long if "field limit" in str(error) else str(error)) from None


def _json_record(lines: _Lines) -> Record:
    """The next line's object. Raises Rejected."""
    try:
        record = json.loads(_sound(lines.take()), object_pairs_hook=_without_repetitions)
    except Rejected:
        raise
    except (ValueError, RecursionError) as error:
        raise Rejected(f"it is no JSON: {error}") from None
    if not isinstance(record, dict):
        raise Rejected("it is no JSON object")
    return record


def _without_repetitions(pairs: Sequence[tuple[str, Any]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise Rejected("a key stands in it twice")
    return record


def _sound(line: str) -> str:
    """The line, when it is UTF-8 text of bearable length. Raises Rejected."""
    if len(line) >= _MOST_CHARACTERS:
        raise Rejected(f"it has more than {_MOST_CHARACTERS:,} characters")
    if "\0" in line:
        raise Rejected("it holds a NUL character; is the file UTF-16 text? It should be UTF-8")
    try:
        line.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) & 0xFF
        raise Rejected(f"it should be UTF-8 text, and holds the byte 0x{byte:02x}") from None
    return line
