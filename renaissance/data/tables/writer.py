"""Writes Arrow tables so that no half table ever opens: a file is complete or absent.

In: a schema and rows. Out: an uncompressed Arrow IPC file, which can be memory-mapped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from renaissance.atomic_files import to_disk

_BATCH_BYTES = 16 << 20
_BATCH_ROWS = 1000


class TableWriter:
    """Writes rows to an Arrow file that appears under its name only when it is complete.

    Use as a context manager: leaving it without an exception finishes the file, with one removes it.
    """

    def __init__(self, path: Path, schema: pa.Schema):
        self.path = path
        self.rows = 0
        self._schema = schema
        self._unfinished = path.with_name(path.name + ".unfinished")
        self._buffer: dict[str, list[object]] = {name: [] for name in schema.names}
        self._buffered_bytes = self._buffered_rows = 0

    def __enter__(self) -> TableWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self._unfinished, "wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        return self

    def add(self, row: Mapping[str, object]) -> None:
        """Add one row; it has a value for each column of the schema."""
        for name, values in self._buffer.items():
            value = row[name]
            values.append(value)
            self._buffered_bytes += len(value) if isinstance(value, bytes | str) else 8
        self.rows += 1
        self._buffered_rows += 1
        if self._buffered_bytes >= _BATCH_BYTES or self._buffered_rows >= _BATCH_ROWS:
            self._flush()

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Add a finished record batch as it is."""
        self._flush()
        self._writer.write_batch(batch)
        self.rows += len(batch)

    def _flush(self) -> None:
        if self._buffered_rows:
            self._writer.write_batch(pa.RecordBatch.from_pydict(self._buffer, schema=self._schema))
        self._buffer = {name: [] for name in self._schema.names}
        self._buffered_bytes = self._buffered_rows = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._writer.close()
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()
            if kind is not None:
                self._unfinished.unlink(missing_ok=True)
        if kind is None:
            os.replace(self._unfinished, self.path)
            to_disk(self.path.parent)


def read_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a file, every column, one at a time."""
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
