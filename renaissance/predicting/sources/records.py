"""CSV and JSON lines as input: a row a record, and a record that cannot be read is one row, and no more than that."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from renaissance.data.preparing.records import JSON_LINES, csv_header, read_records
from renaissance.data.preparing.rejected import Rejected
from renaissance.errors import UserError
from renaissance.predicting.identity import file_identity
from renaissance.predicting.sources.interface import Fault, Row, Typing

LOOKED_AT = 100  # records of a file of JSON lines, to know its columns
MOST_FIELD = 16 << 20  # characters of a field of CSV; Python's own limit is shorter than some books' chapters


class Records:
    """A file of records (see `Source`).

    Args:
        path: the file.

    Raises:
        UserError: it cannot be read.
    """

    rows: int | None = None
    label_names: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, path: Path) -> None:
        csv.field_size_limit(MOST_FIELD)
        self.path = path
        self.base = path.parent
        self.typing: Typing = "json" if path.suffix.lower() in JSON_LINES else "texts"
        self.columns = csv_header(path) if self.typing == "texts" else self._keys()
        self.size = path.stat().st_size
        self.position = 0

    def identity(self) -> str:
        """Of its content."""
        return file_identity(self.path)

    def iterate(self, columns: Collection[str], start: int) -> Iterator[Row]:
        """Rows from one on. What stands before is read again, which takes little beside predicting it."""
        with closing(read_records(self.path, None, self._move)) as records:
            for number, (where, record) in enumerate(records):
                if number < start:
                    continue
                if isinstance(record, Rejected):
                    yield Row(number, where, {}, Fault("", str(record)))
                else:
                    yield Row(number, where, {name: record[name] for name in columns if name in record})

    def _move(self, position: int) -> None:
        self.position = position

    def _keys(self) -> list[str]:
        """The keys of the first objects, in the order in which they come."""
        try:
            with closing(read_records(self.path, None)) as records:
                found = [record for _, record in islice(records, LOOKED_AT) if not isinstance(record, Rejected)]
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror}.") from None
        return list(dict.fromkeys(key for record in found for key in record))
