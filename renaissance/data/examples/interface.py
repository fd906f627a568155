"""Where examples come from, as batches see it: tables are one source, a list in memory another."""

from __future__ import annotations

from typing import Any, Protocol

from renaissance.data.examples.schema import DataNeeds

TRAIN, VAL = "train", "val"  # every other split is one to evaluate on


class Examples(Protocol):
    """Examples, numbered from 0, of which values are read one by one. Can be pickled.

    Attributes:
        needs: what of each example is read.
        class_names: the names of the classes, in the order of their numbers; None where there are none.
        rows: number of rows. Examples of one row have its image in common.
        remedy: what messages say is to be done about a value that cannot be read; empty where that is plain.
    """

    needs: DataNeeds
    class_names: list[str] | None
    rows: int
    remedy: str

    def __len__(self) -> int: ...

    def has(self, column: str) -> bool:
        """Whether there are values of a column, which is optional."""

    def value(self, index: int, column: str) -> Any:
        """A value of an example: bytes, a text, the number of a class, ….

        Args:
            index: the example's number.
            column: by the name that tasks use.

        Returns:
            what `ColumnType` says; of an example without an answer None, or an empty list.
        """

    def same(self, one: int, other: int, column: str) -> bool:
        """Whether two examples have the same value, without reading more than that takes."""

    def row_of(self, index: int) -> int:
        """The number of the row that the example belongs to: equal means the same image."""

    def of_row(self, row: int) -> range:
        """The examples of a row: the captions of an image."""

    def where(self, index: int, column: str = "") -> str:
        """Where an example, or one of its values, lies, for messages."""

    def describe(self) -> str:
        """Where all of them lie, for messages."""

    def check_whole(self) -> None:
        """See that nothing was cut off since it was opened. Raises UserError: something was."""
