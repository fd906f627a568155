"""Examples from a list in memory: a user's own inputs, for a model that is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from renaissance.data.examples.schema import LISTS, DataNeeds


class ListExamples:
    """Examples whose values lie in memory, each a row of its own (see `Examples`).

    Args:
        values: by example the values by column, as `Examples.value` gives them.
        needs: what of them is read.
        class_names: the classes, where the schema has such; None otherwise.
        names: what messages call a value, of the example's place in the list and the column.
    """

    remedy = ""

    def __init__(
        self,
        values: Sequence[Mapping[str, Any]],
        needs: DataNeeds,
        class_names: Sequence[str] | None = None,
        names: Callable[[int, str], str] = lambda index, column: f"example {index}",
    ) -> None:
        self.needs = needs
        self._names = names
        self.class_names = None if class_names is None else list(class_names)
        self.rows = len(values)
        self._values = list(values)

    def __len__(self) -> int:
        return self.rows

    def has(self, column: str) -> bool:
        """Whether every example has a value."""
        return all(values.get(column) is not None for values in self._values)

    def value(self, index: int, column: str) -> Any:
        """A value of an example; None, or an empty list, where it has none."""
        value = self._values[index].get(column)
        several = column in self.needs.schema.columns and self.needs.schema.columns[column].type in LISTS
        return [] if value is None and several else value

    def same(self, one: int, other: int, column: str) -> bool:
        """Whether two examples have the same value."""
        return bool(self.value(one, column) == self.value(other, column))

    def row_of(self, index: int) -> int:
        """The example's own number: each is a row."""
        return index

    def of_row(self, row: int) -> range:
        """The row's only example."""
        return range(row, row + 1)

    def where(self, index: int, column: str = "") -> str:
        """Its place in the list, from 0, and the column."""
        return self._names(index, column)

    def describe(self) -> str:
        """What messages call the list."""
        return "the examples given"

    def check_whole(self) -> None:
        """Memory is not cut off."""
