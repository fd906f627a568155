"""The file of answers, of the kind that its ending says: CSV, JSON lines, Parquet or Arrow."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from renaissance.atomic_files import whole_file
from renaissance.predicting.output.columns import Columns, Kind
from renaissance.predicting.places import OUTPUTS

ROWS_AT_ONCE = 2000  # of Parquet and Arrow
TYPES: dict[Kind, pa.DataType] = {
    "none": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "long": pa.int64(),
    "float": pa.float64(), "text": pa.string(),
}  # fmt: skip


def write_answers(
    path: Path, entries: Iterable[Mapping[str, Any]], columns: Columns, written: Callable[[Path], None]
) -> None:
    """Write the file, which is whole or not there.

    Args:
        path: its ending is one of `OUTPUTS`.
        entries: the examples that were answered, in order, as the journal has them.
        columns: which have seen all of them.
        written: is told where the whole file lies, before it is put in its place.

    Raises:
        DiskFull: there is no room.
    """
    with whole_file(path) as temporary:
        WRITERS[path.suffix.lower()](temporary, entries, columns)
        written(temporary)


def _write_csv(path: Path, entries: Iterable[Mapping[str, Any]], columns: Columns) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns.names)
        writer.writerows(columns.cells(entry).values() for entry in entries)


def _write_json_lines(path: Path, entries: Iterable[Mapping[str, Any]], columns: Columns) -> None:
    with path.open("w", newline="\n", encoding="utf-8") as file:
        for entry in entries:
            file.write(json.dumps(columns.nested(entry), ensure_ascii=False, allow_nan=False) + "\n")


def _write_parquet(path: Path, entries: Iterable[Mapping[str, Any]], columns: Columns) -> None:
    schema = _schema(columns)
    with pq.ParquetWriter(path, schema) as writer:
        for batch in _batches(entries, columns, schema):
            writer.write_batch(batch)


def _write_arrow(path: Path, entries: Iterable[Mapping[str, Any]], columns: Columns) -> None:
    schema = _schema(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for batch in _batches(entries, columns, schema):
            writer.write_batch(batch)


def _schema(columns: Columns) -> pa.Schema:
    return pa.schema([(name, TYPES[columns.kinds[name]]) for name in columns.names])


def _batches(entries: Iterable[Mapping[str, Any]], columns: Columns, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    left = iter(entries)
    while rows := [columns.cells(entry) for entry in islice(left, ROWS_AT_ONCE)]:
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


WRITERS = dict(zip(OUTPUTS, (_write_csv, _write_json_lines, _write_parquet, _write_arrow), strict=True))
