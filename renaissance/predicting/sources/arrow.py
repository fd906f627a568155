"""An Arrow file as input, our own tables among them: mapped into memory, whose pages are given back as it goes on.

Both of Arrow's formats are read: files (`new_file`) and streams (`new_stream`, as `datasets` keeps them).
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

ROWS_AT_ONCE = 64
DROP_AFTER_ROWS = 256  # pages that were read are given back to the system
FILE_MAGIC = b"ARROW1"
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


class ArrowRows:
    """An Arrow file (see `Source`).

    Args:
        path: the file.

    Raises:
        UserError: it is damaged, cut off or compressed.
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
            schema, count = None, 0
            for batch in self._batches():
                if schema is None:
                    self._check_uncompressed(batch)
                schema, count = batch.schema, count + len(batch)
            schema = self._schema() if schema is None else schema
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from None
        self._drop()
        self.rows: int | None = count
        self.size = count
        self.columns: Sequence[str] = schema.names
        check_names(path, self.columns)
        self.label_names: Mapping[str, Sequence[str]] = class_names(path, schema)

    def identity(self) -> str:
        """Of its content."""
        return file_identity(self.path)

    def iterate(self, columns: Collection[str], start: int) -> Iterator[Row]:
        """Rows from one on."""
        first = 0
        try:
            for batch in self._batches():
                if first + len(batch) > start:
                    wanted = batch.select(list(columns))
                    _check_lists(wanted)
                    for place in range(max(0, start - first), len(batch), ROWS_AT_ONCE):
                        piece = wanted.slice(place, ROWS_AT_ONCE)
                        _check_flat(piece)
                        for row in rows_of(piece, first + place, start):
                            self._check_whole()
                            self.position = row.number + 1
                            if row.number % DROP_AFTER_ROWS == 0:
                                self._drop()
                            yield row
                first += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """The record batches, as views of the mapped file."""
        source = pa.BufferReader(pa.py_buffer(self._map))
        if self._map[: len(FILE_MAGIC)] != FILE_MAGIC:
            if self._map[-len(END_OF_STREAM) :] != END_OF_STREAM:
                raise pa.ArrowInvalid("its end is missing")
            yield from pa.ipc.open_stream(source)
            return
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)

    def _schema(self) -> pa.Schema:
        source = pa.BufferReader(pa.py_buffer(self._map))
        if self._map[: len(FILE_MAGIC)] != FILE_MAGIC:
            return pa.ipc.open_stream(source).schema
        return pa.ipc.open_file(source).schema

    def _check_uncompressed(self, batch: pa.RecordBatch) -> None:
        """A compressed batch would be unpacked into memory as a whole, whatever it unpacks to."""
        if not is_mapped(batch, pa.py_buffer(self._map)):
            raise UserError(
                f"{self.path} is compressed, so it cannot be memory-mapped. Write it again without compression "
                '(`pyarrow.feather.write_feather(…, compression="uncompressed")`), or as Parquet.'
            )

    def _check_whole(self) -> None:
        """Reading what was cut off would end this process (a bus error)."""
        if self._map.size() < len(self._map):
            raise UserError(f"{self.path} was cut off while it was read. Copy it again.")

    def _drop(self) -> None:
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def _damaged(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())[:200]
        return UserError(f"{self.path} is damaged or no complete Arrow file ({reason}): cut off while it was copied?")


def _check_lists(batch: pa.RecordBatch) -> None:
    """See that no list of a batch points behind its values; all of them at once, for a piece's are not known apart."""
    for column in batch.columns:
        column.validate(full=pa.types.is_nested(column.type))


def _check_flat(piece: pa.RecordBatch) -> None:
    """See that the texts and the bytes of a piece lie where they should."""
    for column in piece.columns:
        if not pa.types.is_nested(column.type):
            column.validate(full=True)
