"""What every input of `predict` is to it: rows, numbered from 0, that are read one after the other.

A row is its values by column, or the reason why it has none. Values are plain: texts, numbers, lists, the bytes of an
image or the path of its file; each was looked at for its size before it was copied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Typing = Literal["texts", "json", "typed"]  # every value a text; each value of its own type; each column of its type


@dataclass(frozen=True)
class Fault:
    """Why a row, or an example of it, cannot be used.

    Attributes:
        field: the column at fault; "" where it is the whole row.
        reason: in words.
    """

    field: str
    reason: str


class Faulty(Exception):
    """An example cannot be used, for a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


@dataclass(frozen=True)
class Row:
    """A row of the input.

    Attributes:
        number: from 0, those that cannot be read among them.
        where: its place for a person, such as "line 17"; "" where that is its number.
        values: by column; of those that it has.
        fault: why it cannot be read; None where it can.
    """

    number: int
    where: str
    values: Mapping[str, Any]
    fault: Fault | None = None


class Source(Protocol):
    """An input.

    Attributes:
        path: the file or the folder.
        columns: its columns; of JSON lines those of the first ones.
        typing: what is known of a column's values.
        base: the folder that relative paths of images start from.
        rows: their number; None where only reading to the end would tell.
        size: how much there is to read, in rows where their number is known, or else in bytes.
        position: how much of that was read.
        label_names: by column the names of its classes, by their numbers, where the file itself says so.
    """

    path: Path
    columns: Sequence[str]
    typing: Typing
    base: Path
    rows: int | None
    size: int
    position: int
    label_names: Mapping[str, Sequence[str]]

    def identity(self) -> str:
        """What is another one when the content has changed."""

    def iterate(self, columns: Collection[str], start: int) -> Iterator[Row]:
        """Rows from one on, with some of the columns.

        Args:
            columns: which are wanted.
            start: the number of the first.

        Raises:
            UserError: the file cannot be read, or breaks off.
        """
