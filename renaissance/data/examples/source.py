"""The examples of a split: joined tables, opened by memory map once per process.

In: settings, what a task needs, a split. Out: `ExampleSource`, from which image bytes, texts and labels are
read by example number. An example is a caption where text is wanted (an image with five captions is five
examples), otherwise a row. Nothing is kept per example.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from renaissance.data.examples.schema import KINDS, DataNeeds, Split
from renaissance.data.tables.find import find_tables
from renaissance.data.tables.table import ColumnKind, Table
from renaissance.errors import UserError
from renaissance.settings import Settings


def open_split(settings: Settings, needs: DataNeeds, split: Split) -> ExampleSource:
    """The examples of a split of the settings' data sets.

    Raises:
        UserError: a table is missing, incomplete or of another kind; or the split has no example.
    """
    source = ExampleSource(find_tables(settings, needs.kind, split), needs)
    if len(source) == 0:
        raise UserError(f"The {split} split is empty: there is no example in {source.describe()}.")
    return source


class ExampleSource:
    """Examples of joined tables, numbered from 0. Can be pickled; opens its tables again in each process.

    Attributes:
        needs: what of each example is read.
        paths: the files of its tables.
        label_names: class names, those of the first table until `adopt_classes`; None where the tables name none.
        rows: number of table rows (images, where there are images).
    """

    def __init__(self, paths: Sequence[Path], needs: DataNeeds):
        self.needs = needs
        self.paths = list(paths)
        kind = KINDS[needs.kind]
        self._image = kind.image if needs.image else None
        self._text = kind.text if needs.text else None
        self._label = kind.label
        self._tables = self._open(check=True)
        self._process = os.getpid()
        self._row_starts = [0, *accumulate(table.rows for table in self._tables)]
        self._starts = [0, *accumulate(self._examples_of(table) for table in self._tables)]
        self.rows = self._row_starts[-1]
        self.label_names: list[str] | None = None
        self._label_maps: list[NDArray[np.int64] | None] = []
        if self._label is not None:
            self._check_label_range(self._label)
            self.adopt_classes(self._tables[0].label_names, f"{self._tables[0].path} has")

    def __len__(self) -> int:
        return self._starts[-1]

    def check_whole(self) -> None:
        """See that no table was cut off since it was opened. Raises UserError: one was."""
        for table in self._opened():
            table.check_whole()

    def image_bytes(self, index: int) -> bytes:
        """The image file of an example."""
        table, number = self._locate(index)
        return table.bytes_at(self._column(self._image), self._row(table, number))

    def text(self, index: int) -> str:
        """The text of an example."""
        table, number = self._locate(index)
        return table.text_at(self._column(self._text), number)

    def label(self, index: int) -> int:
        """The class of an example, as numbered in `label_names`."""
        table, number = self._locate(index)
        label = int(table.integers(self._column(self._label))[self._row(table, number)])
        numbers = self._label_maps[self._place(index)]
        return label if numbers is None else int(numbers[label])

    def adopt_classes(self, names: Sequence[str] | None, whose: str) -> None:
        """Number the classes as in `names`: every table's labels are found there by their names.

        Args:
            names: the classes; None where they have no names, which the tables then have not either.
            whose: begins the reason in messages, such as "the checkpoint has".

        Raises:
            UserError: a table has a class that is not among them, or only one of the two has names.
        """
        maps = [_label_map(table, names, whose) for table in self._opened()]
        self.label_names, self._label_maps = None if names is None else list(names), maps

    def image_key(self, index: int) -> int:
        """The number of the row (through all tables) that the example belongs to: equal means the same image."""
        table, number = self._locate(index)
        return self._row_starts[self._place(index)] + self._row(table, number)

    def examples_of_image(self, key: int) -> range:
        """The examples that show image `key`: its captions."""
        if not 0 <= key < self.rows:
            raise IndexError(key)
        place = bisect_right(self._row_starts, key) - 1
        row = key - self._row_starts[place]
        if self._text is None:
            return range(self._starts[place] + row, self._starts[place] + row + 1)
        table = self._opened()[place]
        table.check_whole()
        texts = table.texts(self._text).of_row(row)
        return range(self._starts[place] + texts.start, self._starts[place] + texts.stop)

    def belongs(self, text: int, image: int) -> bool:
        """Whether the text of one example belongs to the image of another, though chance brought them together.

        It does where both are of one row; where the other row holds the same file of an image, as joined tables may;
        and where a caption of that image has the same words, whatever their case and the punctuation.

        Args:
            text: the example whose text it is.
            image: the example whose image it is.
        """
        key = self.image_key(image)
        if self.image_key(text) == key or self._same_image(text, image):
            return True
        words = _words(self.text(text).casefold())
        longest = max(words, key=len)  # most texts lack it, and need not be taken apart
        table, number = self._locate(image)
        own = self.examples_of_image(key)
        texts = (table.text_at(self._column(self._text), other - image + number).casefold() for other in own)
        return any(longest in other and _words(other) == words for other in texts)

    def _same_image(self, one: int, other: int) -> bool:
        """Whether the images of two examples are the same bytes; files of different sizes are not read for that."""
        column = self._column(self._image)
        sizes = set()
        for index in (one, other):
            table, number = self._locate(index)
            sizes.add(table.size_at(column, self._row(table, number)))
        return len(sizes) == 1 and self.image_bytes(one) == self.image_bytes(other)

    def texts(self) -> Iterator[str]:
        """Every text in order, for building a vocabulary."""
        for table in self._opened():
            yield from table.iterate_texts(self._column(self._text))

    @property
    def has_labels(self) -> bool:
        """Whether an example has a class."""
        return self._label is not None

    def where(self, index: int) -> str:
        """The table and row of an example, for messages."""
        table, number = self._locate(index)
        return f"{table.path}, row {self._row(table, number)}"

    def describe(self) -> str:
        """The tables, for messages."""
        return ", ".join(str(path) for path in self.paths)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_tables": [], "_process": None}

    def _open(self, check: bool) -> list[Table]:
        wanted: dict[str, ColumnKind] = {}
        if self._image is not None:
            wanted[self._image] = "bytes"
        if self._text is not None:
            wanted[self._text] = "text"
        if self._label is not None:
            wanted[self._label] = "integer"
        return [Table(path, wanted, check) for path in self.paths]

    def _opened(self) -> list[Table]:
        """The tables, opened by this process."""
        if self._process != os.getpid():
            tables = self._open(check=False)
            counts = [self._examples_of(table) for table in tables]
            if [0, *accumulate(counts)] != self._starts:
                raise UserError(f"The tables changed while they were in use: {self.describe()}. Start again.")
            self._tables = tables
            self._process = os.getpid()
        return self._tables

    def _examples_of(self, table: Table) -> int:
        return table.rows if self._text is None else len(table.texts(self._text))

    def _place(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return bisect_right(self._starts, index) - 1

    def _locate(self, index: int) -> tuple[Table, int]:
        """The table of an example, which is still whole, and its number within that table."""
        place = self._place(index)
        table = self._opened()[place]
        table.check_whole()
        return table, index - self._starts[place]

    def _row(self, table: Table, number: int) -> int:
        return number if self._text is None else table.texts(self._text).row_of(number)

    def _column(self, name: str | None) -> str:
        if name is None:
            raise ValueError(f"these examples were opened without that: {self.needs}")
        return name

    def _check_label_range(self, column: str) -> None:
        """Every label is among its table's classes."""
        for table in self._tables:
            names, labels = table.label_names, table.integers(column)
            if len(labels) and (labels.min() < 0 or (names is not None and labels.max() >= len(names))):
                raise UserError(
                    f"{table.path}: the column {column!r} holds labels from {labels.min()} to {labels.max()}, "
                    f"but they should lie between 0 and {'0 …' if names is None else len(names) - 1}."
                )


def _label_map(table: Table, names: Sequence[str] | None, whose: str) -> NDArray[np.int64] | None:
    """The number in `names` of each of a table's classes (C,); None where they have the same numbers."""
    own = table.label_names
    if own == names or (own is not None and names is not None and list(names[: len(own)]) == own):
        return None
    unknown = [] if own is None or names is None else [name for name in own if name not in names]
    if own is None or names is None or unknown:
        reason = f"{', '.join(unknown)} is unknown there" if unknown else "without names they cannot be told apart"
        raise UserError(
            f"{table.path} has the classes {own}, but {whose} {names}: {reason}. Classes are matched by their names, "
            "in any order; a table may lack some, but has no other ones. Prepare it again with the same classes."
        )
    return np.array([list(names).index(name) for name in own], np.int64)


def _words(text: str) -> list[str]:
    """The words of a text, without what stands between them; the text itself where it has none."""
    return re.findall(r"\w+", text) or [text]
