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

ROWS_AT_ONCE = 64
BUFFER = 1 << 20  # bytes of a column that are read at once; otherwise a row group's columns are read whole
MOST_AT_ONCE = 256 << 20  # bytes that rows which are read together may unpack to; beyond, they are read one by one
MOST_DICTIONARY = 1 << 30  # bytes of a column's repeated values in a row group
MOST_GROUP_BYTES = 16 << 30
HEADER_BYTES = 32  # of a page's header, more than its first three numbers take


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
                self.columns: Sequence[str] = schema.names
                self.rows: int | None = file.metadata.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from None
        for number, group in enumerate(self._groups):
            if group.total_byte_size > MOST_GROUP_BYTES:
                raise UserError(
                    f"{path}: row group {number} unpacks to {group.total_byte_size:,} bytes, more than "
                    f"{MOST_GROUP_BYTES:,}. Write it with smaller row groups (row_group_size=1000)."
                )
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
            with pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False) as file:
                for number, group in enumerate(self._groups):
                    if first + group.num_rows <= start:
                        first += group.num_rows
                        continue
                    at_once = self._rows_at_once(group, columns)
                    for batch in file.iter_batches(at_once, row_groups=[number], columns=list(columns)):
                        for row in rows_of(batch, first, start):
                            self.position = row.number + 1
                            yield row
                        first += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _rows_at_once(self, group: pq.RowGroupMetaData, columns: Collection[str]) -> int:
        """How many rows of a group may be read together: a value may be in the file once and in each of them.

        Raises:
            UserError: its repeated values unpack to more than they should.
        """
        chunks = [group.column(number) for number in range(group.num_columns)]
        wanted = [chunk for chunk in chunks if any(_is_of(chunk.path_in_schema, name) for name in columns)]
        repeated = [self._dictionary_bytes(chunk) for chunk in wanted]
        if max(repeated, default=0) > MOST_DICTIONARY:
            raise UserError(
                f"{self.path}: a column's repeated values unpack to {max(repeated):,} bytes, more than "
                f"{MOST_DICTIONARY:,}. Write it without them (use_dictionary=False)."
            )
        whole = sum(chunk.total_uncompressed_size for chunk in wanted) + ROWS_AT_ONCE * sum(repeated)
        return ROWS_AT_ONCE if whole <= MOST_AT_ONCE else 1

    def _dictionary_bytes(self, chunk: pq.ColumnChunkMetaData) -> int:
        """What the repeated values of a column unpack to, as the page that holds them says itself; 0 without any."""
        if not chunk.has_dictionary_page or chunk.dictionary_page_offset is None:
            return 0
        with self.path.open("rb") as file:
            file.seek(chunk.dictionary_page_offset)
            return _unpacked_size(file.read(HEADER_BYTES))

    def _damaged(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())[:200]
        return UserError(f"{self.path} is damaged or no Parquet file ({reason}): cut off while it was copied?")


def _is_of(leaf: str, column: str) -> bool:
    """Whether values of a path in the file are of a column, or of what is in it."""
    return leaf == column or leaf.startswith(f"{column}.")


def _unpacked_size(header: bytes) -> int:
    """What a page unpacks to; more than may be where its header is not as usual.

    A header begins with three numbers in Thrift's compact protocol: the page's type, its bytes unpacked and packed.
    Source: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (PageHeader).
    """
    place = 0
    numbers: list[int] = []
    while len(numbers) < 2:
        if header[place : place + 1] != b"\x15":  # the next field, of 32 bits
            return MOST_DICTIONARY + 1
        place += 1
        number = shift = 0
        while True:
            if place == len(header):
                return MOST_DICTIONARY + 1
            number |= (header[place] & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if header[place - 1] < 0x80:
                break
        numbers.append(number >> 1)  # positive numbers are written twice as large
    return numbers[1]
