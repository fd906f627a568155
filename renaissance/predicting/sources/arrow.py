"""An Arrow file as input, our own tables among them: mapped into memory, whose pages are given back as it goes on.

Both of Arrow's formats are read: files (`new_file`) and streams (`new_stream`, as `datasets` keeps them). Of a
compressed one, as `DataFrame.to_feather` writes it, a batch at a time is unpacked, and none that is large.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from renaissance.data.tables.table import is_mapped
from renaissance.errors import UserError
from renaissance.predicting.identity import file_identity
from renaissance.predicting.sources.cells import check_names, class_names, rows_of
from renaissance.predicting.sources.interface import Row, Typing
from renaissance.predicting.sources.messages import batch_sizes, is_file

ROWS_AT_ONCE = 64
DROP_AFTER_ROWS = 256  # pages that were read are given back to the system
MOST_UNPACKED = 1 << 30  # bytes of a compressed batch, and of all dictionaries
# What pyarrow raises: KeyError for a type that Python's side of it does not know.
READING = (pa.ArrowException, OSError, ValueError, KeyError)
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class ArrowRows:
    """An Arrow file (see `Source`).

    Args:
        path: the file.

    Raises:
        UserError: it is damaged, cut off, or compressed and unpacks to too much.
    """

    typing: Typing = "typed"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base = path.parent
        self.position = 0
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size < 8:
                    raise UserError(f"{path} is empty: a copy that broke off?")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._compressed, count = self._sizes()
            schema = self._schema()
            self.columns: Sequence[str] = schema.names
            if not self._compressed:
                for batch in self._batches():
                    self._check_mapped(batch)
        except READING as error:
            raise self._damaged(error) from None
        self._drop()
        self.rows: int | None = count
        self.size = count
        check_names(path, self.columns)
        self.label_names: Mapping[str, Sequence[str]] = class_names(path, schema)

    def identity(self) -> str:
        """Of its content."""
        return file_identity(self.path)

    def iterate(self, columns: Collection[str], start: int) -> Iterator[Row]:
        """Rows from one on."""
        first = 0
        wanted = None
        try:
            for wanted in self._batches(columns):
                rows = len(wanted)
                if first + rows > start:
                    yield from self._rows(wanted.select(list(columns)), first, start)
                first += rows
                wanted = None  # or it would be there beside the next one
        except READING as error:
            raise self._damaged(error) from None

    def _rows(self, wanted: pa.RecordBatch, first: int, start: int) -> Iterator[Row]:
        """Rows of a batch, the first of which has the number `first`, from one on."""
        _check_whole_columns(wanted)
        for place in range(max(0, start - first), len(wanted), ROWS_AT_ONCE):
            piece = wanted.slice(place, ROWS_AT_ONCE)
            _check_flat(piece)
            for row in rows_of(piece, first + place, start):
                self._check_whole()
                self.position = row.number + 1
                if row.number % DROP_AFTER_ROWS == 0:
                    self._drop()
                yield row

    def _sizes(self) -> tuple[bool, int]:
        """Whether it is compressed, and its rows. Raises UserError: it unpacks to more than it should."""
        rows = dictionaries = 0
        compressed = False
        for number, batch in enumerate(batch_sizes(self._whole())):
            compressed |= batch.unpacked > 0
            rows += 0 if batch.is_dictionary else batch.rows
            dictionaries += batch.unpacked if batch.is_dictionary else 0
            unpacked = max(dictionaries, batch.unpacked)
            if unpacked > MOST_UNPACKED:
                raise UserError(
                    f"{self.path} is compressed, and its batch {number} unpacks to {unpacked:,} bytes, more than "
                    f"{MOST_UNPACKED:,}. Write it in smaller batches (`write_feather(…, chunksize=1000)`), without "
                    "compression, or as Parquet."
                )
        return compressed, rows

    def _batches(self, columns: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """The record batches: views of the mapped file, or where they are compressed, the columns unpacked."""
        options = None
        if self._compressed:
            chosen = [self.columns.index(name) for name in columns]
            options = pa.ipc.IpcReadOptions(included_fields=sorted(chosen), use_threads=False)
        source = pa.BufferReader(self._whole())
        if not is_file(memoryview(self._map)):
            if self._map[-len(END_OF_STREAM) :] != END_OF_STREAM:
                raise pa.ArrowInvalid("its end is missing")
            yield from pa.ipc.open_stream(source, options=options)
            return
        reader = pa.ipc.open_file(source, options=options)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)

    def _schema(self) -> pa.Schema:
        source = pa.BufferReader(self._whole())
        return (pa.ipc.open_file if is_file(memoryview(self._map)) else pa.ipc.open_stream)(source).schema

    def _whole(self) -> pa.Buffer:
        return pa.py_buffer(self._map)

    def _check_mapped(self, batch: pa.RecordBatch) -> None:
        """A file of another byte order, say, would be copied into memory. Raises UserError."""
        if not is_mapped(batch, self._whole()):
            raise UserError(f"{self.path} cannot be memory-mapped. Write it again with a current Arrow, or as Parquet.")

    def _check_whole(self) -> None:
        """Reading what was cut off would end this process (a bus error)."""
        if self._map.size() < len(self._map):
            raise UserError(f"{self.path} was cut off while it was read. Copy it again.")

    def _drop(self) -> None:
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _damaged(self, error: Exception) -> UserError:
        if isinstance(error, KeyError):
            return UserError(f"{self.path} has a column of a type that cannot be read here. Leave it out.")
        reason = " ".join(str(error).split())[:200]
        return UserError(f"{self.path} is damaged or no complete Arrow file ({reason}): cut off while it was copied?")


def _check_whole_columns(batch: pa.RecordBatch) -> None:
    """See that no list of a batch points behind its values, and no number behind the texts that it stands for.

    All of them at once, for a piece's are not known apart: every piece would have all of them checked again.
    """
    for column in batch.columns:
        column.validate(full=_is_checked_whole(column.type))


def _check_flat(piece: pa.RecordBatch) -> None:
    """See that the texts and the bytes of a piece lie where they should."""
    for column in piece.columns:
        if not _is_checked_whole(column.type):
            column.validate(full=True)


def _is_checked_whole(kind: pa.DataType) -> bool:
    return pa.types.is_nested(kind) or pa.types.is_dictionary(kind)
