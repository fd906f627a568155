"""Columns of a table looked through when it is opened, so that no value stops a run that is under way.

In: the columns of a table, and what a schema says of them. Out: nothing, or a `UserError` that names table and column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from renaissance.data.examples.schema import Column, ColumnType
from renaissance.data.tables.table import UNKNOWN_CLASS, Table
from renaissance.errors import UserError

# How often the values of a column are nested in lists, beside the list of a row's texts; a class as often as you like.
_NESTED: dict[ColumnType, int] = {"classes": 1, "numbers": 1, "boxes": 2, "id": 0}
_SIDES = 4  # of a box


def check_columns(table: Table, columns: Mapping[str, Column], class_names: Sequence[str] | None) -> None:
    """See that every value is one that tasks can take.

    Args:
        table: with all of the columns that it has.
        columns: by the names that tasks use.
        class_names: the classes; None where they have no names.

    Raises:
        UserError: a column holds something else, or too few or too many values for a row's texts.
    """
    text = columns.get("text")
    counts = None if text is None else table.texts(text.name).counts()  # texts of each row
    several = text is not None and table.texts(text.name).several
    for column in columns.values():
        if column.name not in table.columns or column.type == "image":
            continue
        if column.type == "text":
            _check_texts(table, column, counts)
            continue
        chunks = table.chunks(column.name)
        _check_type(table, column, chunks, several and column.per_text)
        if counts is not None and several and column.per_text:
            _check_counts(table, column, chunks, counts)
        leaves = [leaves_of(chunk) for chunk in chunks]
        _check_there(table, column, chunks, leaves)
        if column.type == "class" and not all(_ones(chunk, several and column.per_text) for chunk in chunks):
            raise _wrong(table, column, "several classes for one example")
        if column.type in ("class", "classes"):
            _check_classes(table, column, leaves, class_names)
        if column.type in ("numbers", "boxes") and not all(_finite(leaf) for leaf in leaves):
            raise _wrong(table, column, "a number that is not finite")
        if column.type == "boxes" and not all(_fours(chunk) for chunk in chunks):
            raise _wrong(table, column, "a box that is not four numbers")


def leaves_of(array: pa.Array) -> pa.Array:
    """What is in the lists of an array, and in theirs; of lists that are null nothing."""
    while _is_list(array.type):
        array = array.flatten()
    return array


def _check_texts(table: Table, column: Column, counts: NDArray[np.int64] | None) -> None:
    """Further texts: one for each text of a row, or one a row."""
    own = table.texts(column.name).counts()
    if counts is not None and column.per_text and not np.array_equal(own, counts):
        row = int(np.flatnonzero(own != counts)[0])
        raise _miscounted(table, column, row, int(own[row]), int(counts[row]))
    if not column.per_text and len(own) and own.min() < 1:
        raise _wrong(table, column, f"no text in row {int(own.argmin())}")


def _check_type(table: Table, column: Column, chunks: Sequence[pa.Array], per_text: bool) -> None:
    """Values of the right type, in lists as deep as they should be."""
    for kind in {chunk.type for chunk in chunks}:
        depth, leaf = 0, kind
        while _is_list(leaf):
            depth, leaf = depth + 1, leaf.value_type
        if pa.types.is_null(leaf):  # nothing is there: of no type, and maybe not as deep
            continue
        whole = pa.types.is_integer(leaf)
        if column.type in ("numbers", "boxes"):
            right = whole or pa.types.is_floating(leaf)
        else:
            right = whole or pa.types.is_string(leaf) or pa.types.is_large_string(leaf)
        nested = _NESTED.get(column.type)
        if (
            not right
            or (nested is not None and depth != nested + per_text)
            or (column.type == "class" and depth < per_text)
        ):
            raise UserError(
                f"{table.path}: the column {column.name!r} should hold {column.type}, but holds {kind}. Is it a table "
                "of another kind under this name?"
            )


def _check_counts(table: Table, column: Column, chunks: Sequence[pa.Array], counts: NDArray[np.int64]) -> None:
    """A value for each text of a row; where they may be lacking, also none at all."""
    own = np.concatenate([np.zeros(0, np.int64), *(_lengths(chunk) for chunk in chunks)])
    wrong = (own != counts) & (own > 0 if column.optional else True)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise _miscounted(table, column, row, int(own[row]), int(counts[row]))


def _check_there(table: Table, column: Column, chunks: Sequence[pa.Array], leaves: Sequence[pa.Array]) -> None:
    """No value is null, but where a column is optional one may be lacking as a whole."""
    single = column.type in ("class", "id")
    inside = any(leaf.null_count for leaf in leaves) and not (single and column.optional)
    if inside or (not column.optional and any(chunk.null_count for chunk in chunks)):
        raise _wrong(table, column, "an empty value")


def _check_classes(table: Table, column: Column, leaves: Sequence[pa.Array], names: Sequence[str] | None) -> None:
    """Every class is one of the table's."""
    found = {value for leaf in leaves for value in leaf.unique().to_pylist() if value is not None}
    if column.optional:
        found.discard(UNKNOWN_CLASS)
    named = sorted(value for value in found if isinstance(value, str) and value not in (names or ()))
    if named:
        raise UserError(f"{table.path}: the column {column.name!r} has the class {named[0]!r}, which is none of "
                        f"{list(names or [])}.")  # fmt: skip
    numbers = [value for value in found if not isinstance(value, str)]
    if numbers and (min(numbers) < 0 or (names is not None and max(numbers) >= len(names))):
        raise UserError(
            f"{table.path}: the column {column.name!r} holds labels from {min(numbers)} to {max(numbers)}, "
            f"but they should lie between 0 and {'…' if names is None else len(names) - 1}."
        )


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    """How long each list of an array is (rows,), 0 where it is null."""
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64)
    return np.asarray(pc.fill_null(pc.list_value_length(array), 0), np.int64)


def _ones(array: pa.Array, per_text: bool) -> bool:
    """Whether the lists of an array have a value each, but for the list of a row's texts."""
    inner = array.flatten() if per_text and _is_list(array.type) else array
    while _is_list(inner.type):
        if not pc.all(pc.equal(pc.list_value_length(inner), 1), min_count=0).as_py():
            return False
        inner = inner.flatten()
    return True


def _finite(leaf: pa.Array) -> bool:
    return not pa.types.is_floating(leaf.type) or bool(pc.all(pc.is_finite(leaf), min_count=0).as_py())


def _fours(array: pa.Array) -> bool:
    """Whether the innermost lists of an array have four values each."""
    while _is_list(array.type) and _is_list(array.type.value_type):
        array = array.flatten()
    if not _is_list(array.type):  # nothing but nulls
        return True
    return array.null_count == 0 and bool(pc.all(pc.equal(pc.list_value_length(array), _SIDES), min_count=0).as_py())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _wrong(table: Table, column: Column, what: str) -> UserError:
    return UserError(f"{table.path}: the column {column.name!r} has {what}. Prepare the table again.")


def _miscounted(table: Table, column: Column, row: int, own: int, texts: int) -> UserError:
    return UserError(
        f"{table.path}: row {row} has {own} values in {column.name!r} and {texts} texts; there should be one for each "
        "text. Prepare the table again."
    )
