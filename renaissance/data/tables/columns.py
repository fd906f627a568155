"""Columns of a memory-mapped Arrow table, read value by value without copying the column.

In: the chunks (one a record batch) of one column. Out: bytes, texts and integers at a row. Values are cut
out of the mapped buffers by Python slices, which cannot leave the buffer: a file with wrong offsets gives
wrong bytes, never a crash, and offsets are checked when the column is opened.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_OFFSETS_AT_ONCE = 1 << 20  # offsets checked per step, so that checking needs no memory of its own


class ColumnError(ValueError):
    """A column that does not hold what it should; the table names itself around the message."""


class _Chunks:
    """Which chunk a position of the joined column lies in."""

    def __init__(self, lengths: Sequence[int]):
        self.starts = [0, *accumulate(lengths)]
        self.total = self.starts[-1]

    def locate(self, position: int) -> tuple[int, int]:
        """(chunk, position within it). Raises IndexError outside of the column."""
        if not 0 <= position < self.total:
            raise IndexError(position)
        chunk = bisect_right(self.starts, position) - 1
        return chunk, position - self.starts[chunk]


class BytesColumn:
    """A column of binary values or strings; a null is read as empty."""

    def __init__(self, arrays: Sequence[pa.Array], check: bool = True):
        self._offsets = [_offsets(array, 1, check) for array in arrays]
        self._data = [memoryview(array.buffers()[2] or b"") for array in arrays]
        self._chunks = _Chunks([len(array) for array in arrays])
        if check:
            for offsets, data in zip(self._offsets, self._data, strict=True):
                if len(offsets) and int(offsets[-1]) > len(data):
                    raise ColumnError("its offsets point behind its data")

    def __len__(self) -> int:
        return self._chunks.total

    def size(self, row: int) -> int:
        """The length of a value, which is not read."""
        chunk, place = self._chunks.locate(row)
        offsets = self._offsets[chunk]
        return int(offsets[place + 1]) - int(offsets[place])

    def __getitem__(self, row: int) -> bytes:
        chunk, place = self._chunks.locate(row)
        offsets = self._offsets[chunk]
        return bytes(self._data[chunk][int(offsets[place]) : int(offsets[place + 1])])


class TextColumn:
    """Texts: one a row (strings), or any number a row (lists of strings), counted through the column.

    Only the offsets that Arrow stores anyway are used to find the row of a text: nothing is built per text. A text may
    be the last of a list of its own, or the string of a structure: SNLI-VE's tables keep it beside its number.
    """

    def __init__(self, arrays: Sequence[pa.Array], check: bool = True):
        self.several = any(_is_list(array.type) for array in arrays)
        self.rows = _Chunks([len(array) for array in arrays])
        self._inner: list[NDArray[np.integer]] | None = None
        if not self.several:
            self._values = BytesColumn(arrays, check)
            self._lists: list[NDArray[np.integer]] = []
            self._value_starts: list[int] = []
            self.texts = self.rows
            return
        values = [_string_of(array.values) for array in arrays]
        self._lists = [_offsets(array, 1, check) for array in arrays]
        for offsets, inner in zip(self._lists, values, strict=True):
            if len(offsets) and int(offsets[-1]) > len(inner):
                raise ColumnError("its list offsets point behind its texts")
        if any(_is_list(inner.type) for inner in values):
            self._inner = [_ends(inner, check) for inner in values]
            values = [inner.values for inner in values]
        self._values = BytesColumn(values, check)
        self._value_starts = _Chunks([len(inner) for inner in values]).starts
        self.texts = _Chunks([int(offsets[-1]) - int(offsets[0]) if len(offsets) else 0 for offsets in self._lists])

    def __len__(self) -> int:
        return self.texts.total

    def __getitem__(self, text: int) -> str:
        if self.several:
            chunk, place = self.texts.locate(text)
            place += int(self._lists[chunk][0])
            if self._inner is not None:
                place = int(self._inner[chunk][place]) - 1
            text = self._value_starts[chunk] + place
        return self._values[text].decode("utf-8", errors="replace")

    def row_of(self, text: int) -> int:
        """The row that text number `text` belongs to."""
        if not self.several:
            return text
        chunk, place = self.texts.locate(text)
        offsets = self._lists[chunk]
        return self.rows.starts[chunk] + int(np.searchsorted(offsets, offsets[0] + place, side="right")) - 1

    def of_row(self, row: int) -> range:
        """The numbers of the texts of a row."""
        if not self.several:
            return range(row, row + 1)
        chunk, place = self.rows.locate(row)
        offsets = self._lists[chunk]
        start = self.texts.starts[chunk] - int(offsets[0])
        return range(start + int(offsets[place]), start + int(offsets[place + 1]))

    def counts(self) -> NDArray[np.int64]:
        """How many texts each row has (rows,)."""
        if not self.several:
            return np.ones(self.rows.total, np.int64)
        return np.concatenate([np.zeros(0, np.int64), *(np.diff(offsets) for offsets in self._lists)])

    def __iter__(self) -> Iterator[str]:
        return (self[text] for text in range(len(self)))


class ValuesColumn:
    """A column of any other type, read as plain Python values: numbers, strings, lists of them."""

    def __init__(self, arrays: Sequence[pa.Array], kind: pa.DataType, check: bool = True):
        self._column = pa.chunked_array(arrays, type=kind)
        if check:
            try:
                self._column.validate(full=True)
            except pa.ArrowInvalid as error:
                raise ColumnError(str(error)) from None

    def __getitem__(self, row: int) -> Any:
        return self._column[row].as_py()

    @property
    def chunks(self) -> list[pa.Array]:
        """The column as it lies in the file, an array a record batch."""
        return list(self._column.chunks)

    def any(self) -> bool:
        """Whether there is a value: not all are null, or empty lists."""
        return any(array.null_count < len(array) for array in map(_leaves, self._column.chunks))

    def integers(self) -> NDArray[np.int64]:
        """All integers in it (N,), out of their lists, without nulls; none where it holds no integers."""
        leaves = [_leaves(array) for array in self._column.chunks]
        return integers([array.drop_null() for array in leaves if pa.types.is_integer(array.type)])


def integers(arrays: Sequence[pa.Array], null: int | None = None) -> NDArray[np.int64]:
    """A column of integers as one array, with `null` in place of nulls; without one, a null raises ColumnError."""
    if null is not None:
        arrays = [array.fill_null(null) for array in arrays]
    if any(array.null_count for array in arrays):
        raise ColumnError("it has empty values")
    return np.concatenate([np.zeros(0, np.int64), *(array.to_numpy().astype(np.int64) for array in arrays)])


def _leaves(array: pa.Array) -> pa.Array:
    """What is in the lists of an array, and in theirs."""
    while _is_list(array.type):
        array = array.flatten()
    return array


def is_bytes(kind: pa.DataType) -> bool:
    """Binary values."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType) -> bool:
    """Strings, or lists of strings, or lists of what holds a string: a structure, or a list whose last is the text."""
    if not _is_list(kind):
        return _is_string(kind)
    inner = kind.value_type
    if pa.types.is_struct(inner):
        return any(_is_string(field.type) for field in inner)
    return _is_string(inner.value_type if _is_list(inner) else inner)


def is_class(kind: pa.DataType) -> bool:
    """Integers, or names."""
    return bool(pa.types.is_integer(kind)) or _is_string(kind)


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _string_of(array: pa.Array) -> pa.Array:
    """The strings of an array of structures: their last field that holds some; any other array as it is."""
    if not pa.types.is_struct(array.type):
        return array
    fields = [number for number, field in enumerate(array.type) if _is_string(field.type)]
    return array.field(fields[-1])


def _ends(array: pa.Array, check: bool) -> NDArray[np.integer]:
    """Where each list of an array ends among its values (N,). Raises ColumnError where a list is empty."""
    offsets = _offsets(array, 1, check)
    if check and np.any(offsets[1:] == offsets[:-1]):
        raise ColumnError("one of its lists holds no text")
    if check and len(offsets) and int(offsets[-1]) > len(array.values):
        raise ColumnError("its list offsets point behind its texts")
    return offsets[1:]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _offsets(array: pa.Array, buffer: int, check: bool) -> NDArray[np.integer]:
    """The offsets of a binary, string or list array as a view of its buffer: (rows + 1,), or empty."""
    large = pa.types.is_large_binary(array.type) or pa.types.is_large_string(array.type)
    large = large or pa.types.is_large_list(array.type)
    width = 8 if large else 4
    raw = array.buffers()[buffer]
    if raw is None or len(array) == 0:
        return np.zeros(0, np.int64)
    if raw.size < (array.offset + len(array) + 1) * width:
        raise ColumnError("its offsets are incomplete")
    place = {"count": len(array) + 1, "offset": array.offset * width}
    view: NDArray[np.integer] = (
        np.frombuffer(raw, np.int64, **place) if large else np.frombuffer(raw, np.int32, **place)
    )
    if check:
        if view[0] < 0:
            raise ColumnError("its offsets are negative")
        for start in range(0, len(view), _OFFSETS_AT_ONCE):
            part = view[start : start + _OFFSETS_AT_ONCE + 1]
            if np.any(part[1:] < part[:-1]):
                raise ColumnError("its offsets go backwards")
    return view
