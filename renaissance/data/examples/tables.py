"""The examples of a split: joined tables, opened by memory map once per process.

In: settings, what tasks need, a split. Out: `TableExamples`, from which values are read by example number and column.
An example is a text where texts are read (an image with five captions is five examples), otherwise a row. Nothing is
kept per example.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renaissance.data.examples.classes import class_map
from renaissance.data.examples.reading import TableReader
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.tables.find import find_tables
from renaissance.errors import UserError
from renaissance.settings.schema import TableSettings


def open_split(settings: TableSettings, needs: DataNeeds, split: str) -> TableExamples:
    """The examples of a split of the settings' data sets.

    Raises:
        UserError: a table is missing, incomplete or of another schema; or the split has no example.
    """
    examples = TableExamples(find_tables(settings, needs.schema.name, split), needs)
    if len(examples) == 0:
        raise UserError(f"The {split} split is empty: there is no example in {examples.describe()}.")
    return examples


class TableExamples:
    """Examples of joined tables (see `Examples`). Opens its tables again in each process.

    Attributes:
        needs: what of each example is read.
        paths: the files of its tables.
        class_names: those of the first table until `adopt_classes`; None where the tables name none.
        rows: number of table rows (images, where there are images).
    """

    remedy = " Prepare the table again, which leaves such images out and lists them."

    def __init__(self, paths: Sequence[Path], needs: DataNeeds):
        self.needs = needs
        self.paths = list(paths)
        self._tables = self._open(check=True)
        self._process = os.getpid()
        self._row_starts = [0, *accumulate(table.rows for table in self._tables)]
        self._starts = [0, *accumulate(len(table) for table in self._tables)]
        self.rows = self._row_starts[-1]
        self.class_names: list[str] | None = None
        self._class_maps: list[NDArray[np.int64] | None] = [None for _ in self._tables]
        self._has = {column: all(table.has(column) for table in self._tables) for column in needs.columns()}
        if needs.schema.has_classes and self._tables:
            self.adopt_classes(self._tables[0].class_names, f"{self._tables[0].path} has")

    def __len__(self) -> int:
        return self._starts[-1]

    def check_whole(self) -> None:
        """See that no table was cut off since it was opened. Raises UserError: one was."""
        for table in self._opened():
            table.check_whole()

    def has(self, column: str) -> bool:
        """Whether every table has values of a column."""
        return self._has.get(column, False)

    def value(self, index: int, column: str) -> Any:
        """A value of an example; a class is numbered as in `class_names`."""
        place = self._place(index)
        value = self._table(place).value(index - self._starts[place], column)
        numbers = self._class_maps[place]
        if numbers is None or self.needs.schema.columns[column].type not in ("class", "classes"):
            return value
        return [int(numbers[number]) for number in value] if isinstance(value, list) else _mapped(value, numbers)

    def same(self, one: int, other: int, column: str) -> bool:
        """Whether two examples have the same bytes; files of different sizes are not read for that."""
        sizes = set()
        for index in (one, other):
            place = self._place(index)
            sizes.add(self._table(place).size(index - self._starts[place], column))
        return len(sizes) == 1 and bool(self.value(one, column) == self.value(other, column))

    def adopt_classes(self, names: Sequence[str] | None, whose: str) -> None:
        """Number the classes as in `names`: every table's classes are found there by their names.

        Args:
            names: the classes; None where they have no names, which the tables then have not either.
            whose: begins the reason in messages, such as "the checkpoint has".

        Raises:
            UserError: a table has a class that is not among them, or only one of the two has names.
        """
        maps = [class_map(table.path, table.class_names, names, whose) for table in self._opened()]
        self.class_names, self._class_maps = None if names is None else list(names), maps

    def row_of(self, index: int) -> int:
        """The number of the row (through all tables) that the example belongs to: equal means the same image."""
        place = self._place(index)
        return self._row_starts[place] + self._table(place).row_of(index - self._starts[place])

    def of_row(self, row: int) -> range:
        """The examples of a row: the captions of an image."""
        if not 0 <= row < self.rows:
            raise IndexError(row)
        place = bisect_right(self._row_starts, row) - 1
        own = self._table(place).of_row(row - self._row_starts[place])
        return range(self._starts[place] + own.start, self._starts[place] + own.stop)

    def texts(self) -> Iterator[str]:
        """Every text in order, for building a vocabulary."""
        for table in self._opened():
            yield from table.texts()

    def where(self, index: int, column: str = "") -> str:
        """The table and row of an example, for messages."""
        place = self._place(index)
        table = self._table(place)
        return f"{table.path}, row {table.row_of(index - self._starts[place])}"

    def describe(self) -> str:
        """The tables, for messages."""
        return ", ".join(str(path) for path in self.paths)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_tables": [], "_process": None}

    def _open(self, check: bool) -> list[TableReader]:
        return [TableReader(path, self.needs, check) for path in self.paths]

    def _opened(self) -> list[TableReader]:
        """The tables, opened by this process."""
        if self._process != os.getpid():
            tables = self._open(check=False)
            if [0, *accumulate(len(table) for table in tables)] != self._starts:
                raise UserError(f"The tables changed while they were in use: {self.describe()}. Start again.")
            self._tables = tables
            self._process = os.getpid()
        return self._tables

    def _place(self, index: int) -> int:
        """The number of an example's table."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return bisect_right(self._starts, index) - 1

    def _table(self, place: int) -> TableReader:
        """A table, which is still whole."""
        table = self._opened()[place]
        table.check_whole()
        return table


def _mapped(value: int | None, numbers: NDArray[np.int64]) -> int | None:
    return None if value is None else int(numbers[value])
