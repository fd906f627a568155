"""One table as examples: which row and which text of it an example is, and its values by the names that tasks use.

Rows with a list of texts are as many examples; a column that has a value a text (`per_text`) is read at the text's
place in its row. Published tables nest some of these lists once more: an SNLI-VE sentence may come as a pair of its
number and its words, an answer as a list of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from renaissance.data.examples.checks import check_columns, leaves_of
from renaissance.data.examples.schema import LISTS, Column, DataNeeds
from renaissance.data.tables.table import UNKNOWN_CLASS, ColumnKind, Table
from renaissance.errors import UserError

_KINDS: dict[str, ColumnKind] = {"image": "bytes", "text": "text"}  # read as such; the rest as plain values


class TableReader:
    """The examples of one table, numbered from 0.

    Args:
        path: the table's file.
        needs: what of each example is read.
        check: also check all values, which a second process that opens the same file needs not.

    Attributes:
        path: the table's file.
        rows: number of rows.
        class_names: as the table names its classes, or else the schema; None where neither does.

    Raises:
        UserError: a column is missing, damaged or holds something else.
    """

    def __init__(self, path: Path, needs: DataNeeds, check: bool) -> None:
        self.path = path
        self._columns = needs.columns()
        required = {column.name: self._kind(column) for column in self._columns.values() if not column.optional}
        optional = {column.name: self._kind(column) for column in self._columns.values() if column.optional}
        self._table = Table(path, required, check, optional)
        self.rows = self._table.rows
        self._text = self._columns["text"].name if "text" in self._columns else None
        fallback = needs.schema.class_names
        self.class_names = self._table.label_names or (None if fallback is None else list(fallback))
        self._read = {role: self._reader(role, column) for role, column in self._columns.items()}
        if check:
            check_columns(self._table, self._columns, self.class_names)
            self._table.drop_pages()

    def __len__(self) -> int:
        return self.rows if self._text is None else len(self._table.texts(self._text))

    def check_whole(self) -> None:
        """See that the table was not cut off since it was opened. Raises UserError: it was."""
        self._table.check_whole()

    def has(self, role: str) -> bool:
        """Whether there are values of a column."""
        column = self._columns[role]
        if column.name not in self._table.columns:
            return False
        if not column.optional or column.type not in ("class", "classes"):
            return True
        numbers = self._table.numbers(column.name)
        return self._table.has_values(column.name) and (not len(numbers) or bool((numbers != UNKNOWN_CLASS).any()))

    def value(self, number: int, role: str) -> Any:
        """The value of an example, by the name that tasks use; what `ColumnType` says."""
        if role not in self._read:
            raise UserError(
                f"{self.path}: these examples have no column {role!r} by that name; tasks call theirs "
                f"{', '.join(self._read)}."
            )
        return self._read[role](number)

    def size(self, number: int, role: str) -> int:
        """The bytes of an example's image file, which is not read."""
        return self._table.size_at(self._columns[role].name, self.row_of(number))

    def row_of(self, number: int) -> int:
        """The row of an example."""
        return number if self._text is None else self._table.texts(self._text).row_of(number)

    def of_row(self, row: int) -> range:
        """The examples of a row."""
        return range(row, row + 1) if self._text is None else self._table.texts(self._text).of_row(row)

    def text_counts(self) -> NDArray[np.int64]:
        """How many texts each row has (rows,)."""
        return np.ones(self.rows, np.int64) if self._text is None else self._table.texts(self._text).counts()

    def values(self, role: str) -> pa.Array | None:
        """A column's plain values, out of their lists; None where the table lacks it."""
        column = self._columns[role]
        if column.name not in self._table.columns:
            return None
        leaves = [leaves_of(chunk) for chunk in self._table.chunks(column.name)]
        return pa.concat_arrays(leaves) if leaves else None

    def texts(self) -> Iterator[str]:
        """Every text of the table, one text column after the other."""
        for column in self._columns.values():
            if column.type == "text":
                yield from self._table.iterate_texts(column.name)

    def _kind(self, column: Column) -> ColumnKind:
        if column.type == "class" and not column.per_text:
            return "class"
        return _KINDS.get(column.type, "values")

    def _reader(self, role: str, column: Column) -> Callable[[int], Any]:
        """How to read the values of a column by example number."""
        table, name = self._table, column.name
        if name not in table.columns:
            return self._missing(column)
        if column.type == "image":
            return lambda number: table.bytes_at(name, self.row_of(number))
        if column.type == "text":
            if column.per_text or role == "text":
                return lambda number: table.text_at(name, number)
            return lambda number: table.text_at(name, table.texts(name).of_row(self.row_of(number)).start)
        if column.type == "class" and not column.per_text:
            return lambda number: self._class(table.class_at(name, self.row_of(number)))
        if column.type == "id":
            return lambda number: self._id(column, number)
        return lambda number: self._plain(column, self._raw(column, number))

    def _missing(self, column: Column) -> Callable[[int], Any]:
        """What stands in for the values of a column that the table lacks; an id is the example's place."""
        if column.type == "id":
            return lambda number: f"{self.path.stem}/{number}"
        return lambda number: [] if column.type in LISTS else None

    def _raw(self, column: Column, number: int) -> Any:
        """A value as the table has it."""
        row = self.row_of(number)
        value = self._table.value_at(column.name, row)
        if not column.per_text or self._text is None or not self._table.texts(self._text).several:
            return value
        return value[number - self._table.texts(self._text).of_row(row).start] if value else None

    def _plain(self, column: Column, value: Any) -> Any:
        """A value as tasks get it."""
        if column.type == "class":
            while isinstance(value, list):
                value = value[-1] if value else None
            return self._class(value)
        given = [] if value is None else value
        if column.type == "classes":
            return [self._class(entry) for entry in given]
        if column.type == "numbers":
            return [float(entry) for entry in given]
        return [[float(side) for side in box] for box in given]

    def _id(self, column: Column, number: int) -> str:
        """What an example is reported under: its own id, or where it has none its place."""
        value = self._raw(column, number)
        return f"{self.path.stem}/{number}" if value is None else str(value)

    def _class(self, value: Any) -> int | None:
        """The number of a class, which the table has as a number or by name; None where the answer is not known."""
        if value is None or value == UNKNOWN_CLASS:
            return None
        return (self.class_names or []).index(value) if isinstance(value, str) else int(value)
