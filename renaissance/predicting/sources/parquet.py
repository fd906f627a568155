"""A Parquet file as input: read in pieces of a row group, page by page, whatever it unpacks to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from renaissance.errors import UserError
from renaissance.predicting.identity import file_identity
from renaissance.predicting.sources.cells import check_names, class_names, rows_of
from renaissance.predicting.sources.interface import Row, Typing

ROWS_AT_ONCE = 64  # a batch of rows may hold as many images
BUFFER = 1 << 20  # bytes of a column that are read at once; otherwise a row group's columns are read whole
# Of a value's bytes times its rows: what one repeated value of a dictionary may stand for is bounded value by value,
# a page of plain ones by this.
MOST_GROUP_BYTES = 16 << 30


class ParquetRows:
    """A Parquet file (see `Source`).

    Args:
        path: the file.

    Raises:
        UserError: it is damaged, or a row group unpacks to more than it should.
    """

    typing: Typing = "typed"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base = path.parent
        self.position = 0
        try:
            with pq.ParquetFile(path) as file:
                self._groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
                schema = file.schema_arrow
                leaves = [file.schema.column(number) for number in range(len(file.schema.names))]
                # A value that the file has once and refers to often is in memory once, too.
                self._repeated = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
                self.rows: int | None = file.metadata.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from None
        for number, group in enumerate(self._groups):
            if group.total_byte_size > MOST_GROUP_BYTES:
                raise UserError(
                    f"{path}: row group {number} unpacks to {group.total_byte_size:,} bytes, more than "
                    f"{MOST_GROUP_BYTES:,}. Write it with smaller row groups (row_group_size=1000)."
                )
        self.columns: Sequence[str] = schema.names
        check_names(path, self.columns)
        self.label_names: Mapping[str, Sequence[str]] = class_names(path, schema)
        self.size = self.rows or 0

    def identity(self) -> str:
        """Of its content."""
        return file_identity(self.path)

    def iterate(self, columns: Collection[str], start: int) -> Iterator[Row]:
        """Rows from one on; row groups before it are not read."""
        first = 0
        try:
            with pq.ParquetFile(
                self.path, read_dictionary=self._repeated, buffer_size=BUFFER, pre_buffer=False
            ) as file:
                for number, group in enumerate(self._groups):
                    if first + group.num_rows <= start:
                        first += group.num_rows
                        continue
                    for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[number], columns=list(columns)):
                        for row in rows_of(batch, first, start):
                            self.position = row.number + 1
                            yield row
                        first += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())[:200]
        return UserError(f"{self.path} is damaged or no Parquet file ({reason}): cut off while it was copied?")
