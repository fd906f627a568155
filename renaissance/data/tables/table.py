"""Arrow tables on disk, opened by memory map and checked before use.

In: paths of Arrow IPC files (as ViLT, METER and `prepare` write them). Out: columns to read from.
Format: https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from renaissance.data.tables.columns import (
    BytesColumn,
    ColumnError,
    TextColumn,
    ValuesColumn,
    integers,
    is_bytes,
    is_class,
    is_text,
)
from renaissance.errors import UserError

ColumnKind = Literal["bytes", "text", "class", "values"]

UNKNOWN_CLASS = -1  # of an example whose answer is not known, as GLUE's test tables have it
LABEL_NAMES_KEY = b"label_names"  # schema metadata: a JSON list, the name of label 0, 1, …
_WRITE_AGAIN = "Delete it and write it again (`python run.py prepare with dataset=…`), or copy it again."
_KIND_WORDS: dict[ColumnKind, str] = {
    "bytes": "binary values (files of images)",
    "text": "strings or lists of strings",
    "class": "integers or names of classes",
    "values": "plain values or lists of them",
}
# A read maps the pages around it that the system has at hand, up to 2 MB where they are large ones. So many reads
# leave some 32 MB mapped, and dropping them costs a read 2 microseconds.
_DROP_AFTER_READS = 16
_DROP_AFTER_BYTES = 32 << 20


class Table:
    """The wanted columns of one Arrow file, memory-mapped.

    Pages that were read are given back to the system now and then: they stay in its file cache, but the
    process does not grow with the share of the file that it has seen.

    Attributes:
        path: the file.
        columns: the names of those that are opened.
        rows: number of rows.
        metadata: of the schema.
        label_names: class names from the metadata, or None.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, ColumnKind],
        check: bool = True,
        optional: Mapping[str, ColumnKind] = MappingProxyType({}),
    ):
        """Open columns of the file at `path`.

        Args:
            path: an Arrow IPC file.
            columns: the columns wanted and what each has to hold.
            check: also check the offsets (a second process that opens the same file needs not).
            optional: columns that are opened where they are there; a class may be null in them.

        Raises:
            UserError: the file is missing or not complete, or a column is missing or holds something else.
        """
        self.path = path
        self._map = _map_file(path)
        batches, schema = _record_batches(path, self._map, columns, optional)
        columns = {**columns, **{name: kind for name, kind in optional.items() if name in schema.names}}
        self.columns = frozenset(columns)
        self.rows = sum(len(batch) for batch in batches)
        self.metadata: dict[bytes, bytes] = schema.metadata or {}
        self.label_names = _label_names(path, self.metadata)
        self._bytes: dict[str, BytesColumn] = {}
        self._texts: dict[str, TextColumn] = {}
        self._classes: dict[str, NDArray[np.int64]] = {}
        self._values: dict[str, ValuesColumn] = {}
        for name, kind in columns.items():
            arrays = [batch.column(name) for batch in batches]
            try:
                if kind == "bytes":
                    self._bytes[name] = BytesColumn(arrays, check)
                elif kind == "text":
                    self._texts[name] = TextColumn(arrays, check)
                elif kind == "class" and pa.types.is_integer(schema.field(name).type):
                    self._classes[name] = integers(arrays, UNKNOWN_CLASS if name in optional else None)
                else:
                    self._values[name] = ValuesColumn(arrays, schema.field(name).type, check)
            except ColumnError as error:
                raise UserError(f"{path}: the column {name!r} is damaged: {error}. {_WRITE_AGAIN}") from None
        self.drop_pages()

    def bytes_at(self, column: str, row: int) -> bytes:
        """The bytes of `column` at `row`."""
        value = self._bytes[column][row]
        _PAGES.count(self, len(value))
        return value

    def size_at(self, column: str, row: int) -> int:
        """The number of bytes of `column` at `row`."""
        return self._bytes[column].size(row)

    def texts(self, column: str) -> TextColumn:
        """The texts of `column`, to find rows by texts and texts by rows."""
        return self._texts[column]

    def text_at(self, column: str, text: int) -> str:
        """Text number `text` of `column` (counted through all rows)."""
        value = self._texts[column][text]
        _PAGES.count(self, len(value))
        return value

    def iterate_texts(self, column: str) -> Iterator[str]:
        """All texts of `column` in order."""
        for text in self._texts[column]:
            _PAGES.count(self, len(text), reads=0)
            yield text

    def class_at(self, column: str, row: int) -> int | str | None:
        """The class of `column` at `row`, as a number or by name; UNKNOWN_CLASS or None where it is null."""
        numbers = self._classes.get(column)
        return self.value_at(column, row) if numbers is None else int(numbers[row])

    def value_at(self, column: str, row: int) -> Any:
        """The plain value, or list, of `column` at `row`."""
        _PAGES.count(self, 0)
        return self._values[column][row]

    def chunks(self, column: str) -> list[pa.Array]:
        """A column of classes or plain values in one piece or more."""
        if column in self._classes:
            return [pa.array(self._classes[column])]
        return self._values[column].chunks

    def numbers(self, column: str) -> NDArray[np.int64]:
        """All integers of a column of classes, out of their lists, without nulls; none where it holds names."""
        return self._classes[column] if column in self._classes else self._values[column].integers()

    def has_values(self, column: str) -> bool:
        """Whether a column of plain values has any: it may be null throughout, or hold empty lists."""
        return column not in self._values or self._values[column].any()

    def check_whole(self) -> None:
        """See that the file is as long as it was: reading what was cut off would end this process (a bus error).

        A cut between this look and a read is not noticed here.

        Raises:
            UserError: it has become shorter.
        """
        size = self._map.size()
        if size < len(self._map):
            raise UserError(
                f"{self.path} was cut off while it was in use: it had {len(self._map):,} bytes, now {size:,}. "
                f"{_WRITE_AGAIN} A run that has saved a checkpoint goes on with resume_from=auto."
            )

    def drop_pages(self) -> None:
        """Give the pages that were read back to the system."""
        if hasattr(mmap, "MADV_DONTNEED"):  # Linux; elsewhere the system drops pages when it needs memory
            self._map.madvise(mmap.MADV_DONTNEED)


class _Pages:
    """Counts what was read of all tables together, and drops their pages when it was enough."""

    def __init__(self) -> None:
        self._tables: set[Table] = set()
        self._reads = self._bytes = 0

    def count(self, table: Table, size: int, reads: int = 1) -> None:
        """Some `reads` at random places of a table, of `size` bytes together."""
        self._tables.add(table)
        self._reads += reads
        self._bytes += size
        if self._reads >= _DROP_AFTER_READS or self._bytes >= _DROP_AFTER_BYTES:
            for read in self._tables:
                read.drop_pages()
            self._tables.clear()
            self._reads = self._bytes = 0


_PAGES = _Pages()


def _map_file(path: Path) -> mmap.mmap:
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size < 8:
                raise UserError(f"{path} is empty: a copy that broke off? {_WRITE_AGAIN}")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing. Write it with `python run.py prepare with dataset=…`, or set data_root to its folder."
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _record_batches(
    path: Path, mapped: mmap.mmap, columns: Mapping[str, ColumnKind], optional: Mapping[str, ColumnKind]
) -> tuple[list[pa.RecordBatch], pa.Schema]:
    """The record batches as views of the mapped file."""
    buffer = pa.py_buffer(mapped)
    try:
        schema = pa.ipc.open_file(pa.BufferReader(buffer)).schema
        columns = {**columns, **{name: kind for name, kind in optional.items() if name in schema.names}}
        _check_columns(path, schema, columns)
        # Not with `included_fields`: reading a part of the columns copies them (pyarrow 26), all of them are mapped.
        reader = pa.ipc.open_file(pa.BufferReader(buffer))
        batches = []
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number).select(list(columns))
            batch.validate()
            if number == 0:
                _check_uncompressed(path, batch, buffer)
            batches.append(batch)
        return batches, schema
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} is not a complete Arrow file ({reason}): cut off while it was copied or written? {_WRITE_AGAIN}"
        ) from None


def _check_columns(path: Path, schema: pa.Schema, columns: Mapping[str, ColumnKind]) -> None:
    checks = {"bytes": is_bytes, "text": is_text, "class": is_class, "values": lambda found: True}
    for name, kind in columns.items():
        if schema.names.count(name) != 1:
            raise UserError(
                f"{path} has no column {name!r}; its columns are {', '.join(schema.names) or '(none)'}. "
                "Is it a table of another kind under this name?"
            )
        found = schema.field(name).type
        if not checks[kind](found):
            raise UserError(f"{path}: the column {name!r} should hold {_KIND_WORDS[kind]}, but holds {found}.")


def _check_uncompressed(path: Path, batch: pa.RecordBatch, mapped: pa.Buffer) -> None:
    """A compressed table would be unpacked into memory as a whole."""
    if not is_mapped(batch, mapped):
        raise UserError(
            f"{path} is compressed, so it cannot be memory-mapped. Write it again without compression, "
            "as an uncompressed Arrow IPC file."
        )


def is_mapped(batch: pa.RecordBatch, mapped: pa.Buffer) -> bool:
    """Whether the values of a batch lie in a mapped file, rather than unpacked in memory."""
    inside = range(mapped.address, mapped.address + mapped.size + 1)
    buffers = (buffer for array in batch.columns for buffer in array.buffers() if buffer is not None)
    return all(buffer.size <= 64 or buffer.address in inside for buffer in buffers)


def _label_names(path: Path, metadata: Mapping[bytes, bytes]) -> list[str] | None:
    raw = metadata.get(LABEL_NAMES_KEY)
    if raw is None:
        return None
    try:
        names = json.loads(raw)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(
            f"{path}: its label names ({LABEL_NAMES_KEY.decode()!r} in its metadata) are no list of strings."
        )
    return names


def is_complete(path: Path) -> bool:
    """Whether there is a table at `path`, with nothing missing at its end."""
    try:
        Table(path, {})
    except UserError:
        return False
    return True


def with_label_names(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """The schema with class names in its metadata."""
    return schema.with_metadata({LABEL_NAMES_KEY: json.dumps(list(names)).encode()})
