"""Values of Arrow arrays as plain ones, each looked at for its size before it is copied.

A Parquet file of a few kilobytes may hold one text a million times over: such a text is copied only where it is no
longer than a text or an image should be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from renaissance.data.images.files import MOST_BYTES
from renaissance.data.tables.table import LABEL_NAMES_KEY
from renaissance.errors import UserError
from renaissance.predicting.sources.interface import Fault, Row

MOST_TEXT = 16 << 20  # bytes of a text; records of CSV and JSON have as many characters at most
MOST_ENTRIES = 100_000  # of a list, those of the lists in it included
HUGGING_FACE = b"huggingface"  # metadata of the tables of its `datasets`, which may name classes


class TooLarge(ValueError):
    """A value is larger than its like should be; the message says so."""


def rows_of(batch: pa.RecordBatch, first: int, start: int) -> Iterator[Row]:
    """The rows of a batch, from one on.

    Args:
        batch: the wanted columns.
        first: the number of its first row.
        start: the number of the first row that is wanted.
    """
    names = batch.schema.names
    for place in range(max(0, start - first), len(batch)):
        values: dict[str, Any] = {}
        fault = None
        for name, column in zip(names, batch.columns, strict=True):
            try:
                values[name] = plain(column[place])
            except (ValueError, OverflowError) as error:
                reason = "should be UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
                fault = fault or Fault(name, reason)
        yield Row(first + place, "", values, fault)


def plain(value: pa.Scalar) -> Any:
    """A value as Python has it; of an image in the tables of `datasets`, its bytes or else its path.

    Raises:
        ValueError: it is too large, or a text that is not UTF-8.
    """
    if isinstance(value, pa.DictionaryScalar):
        value = value.value
    if not value.is_valid:
        return None
    kind = value.type
    if pa.types.is_struct(kind):
        names = kind.names
        if "bytes" in names and "path" in names:
            found = plain(value["bytes"])
            return plain(value["path"]) if found is None else found
        return {name: plain(value[name]) for name in names}
    if hasattr(value, "values") and value.values is not None:  # a list of any kind
        _check_entries(value.values)
        return [plain(entry) for entry in value.values]
    if hasattr(value, "as_buffer"):
        binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        size, most = value.as_buffer().size, MOST_BYTES if binary else MOST_TEXT
        if size > most:
            raise TooLarge(f"has {size:,} bytes, more than {most:,}")
    return value.as_py()


def _check_entries(values: pa.Array) -> None:
    """See that a list, with those in it, has a bearable number of entries."""
    count = len(values)
    while count <= MOST_ENTRIES and hasattr(values, "flatten") and pa.types.is_nested(values.type):
        if pa.types.is_struct(values.type):
            break
        values = values.flatten()
        count = max(count, len(values))
    if count > MOST_ENTRIES:
        raise TooLarge(f"has {count:,} entries, more than {MOST_ENTRIES:,}")


def check_names(path: Path, columns: Sequence[str]) -> None:
    """See that every column can be named. Raises UserError: two have one name."""
    if len(set(columns)) < len(columns):
        raise UserError(f"{path} has two columns of one name ({', '.join(columns)}), so none can be named.")


def class_names(path: Path, schema: pa.Schema) -> dict[str, Sequence[str]]:
    """By column the names of its classes, as our tables' metadata say for all, or those of `datasets` for each.

    Raises:
        UserError: the metadata cannot be read. Without them, numbers of classes could be of other ones.
    """
    metadata: Mapping[bytes, bytes] = schema.metadata or {}
    key = next((key for key in (LABEL_NAMES_KEY, HUGGING_FACE) if key in metadata), None)
    if key is None:
        return {}
    try:
        found = json.loads(metadata[key])
        if key == LABEL_NAMES_KEY:
            return dict.fromkeys(schema.names, _strings(found))
        features = (found.get("info") or {}).get("features") or {}
        named = {name: _names_of(feature) for name, feature in features.items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise UserError(
            f"{path}: its metadata {key.decode()!r}, which may name the classes, cannot be read. Write the file again, "
            "with sound metadata or without any."
        ) from None
    return {name: names for name, names in named.items() if names is not None}


def _names_of(feature: Any) -> Sequence[str] | None:
    """The classes of a feature of `datasets`, or of what its lists hold; None where it has none."""
    while True:
        if isinstance(feature, list) and len(feature) == 1:
            feature = feature[0]
        elif isinstance(feature, dict) and "feature" in feature:
            feature = feature["feature"]
        else:
            break
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    return None if names is None else _strings(names)


def _strings(value: Any) -> list[str]:
    """A list of strings. Raises TypeError: it is none."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise TypeError
    return value
