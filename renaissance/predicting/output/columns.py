"""The columns of a flat file of answers: what a nested answer becomes there, and of which type each column is.

`{"answer": "positive", "probabilities": {"negative": 0.1, "positive": 0.9}}` of imdb becomes `imdb_answer`,
`imdb_probability_negative` and `imdb_probability_positive`. What has no fixed form, such as the five likeliest of
thousands of answers, is one column with the JSON of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from renaissance.atomic_files import strict_json
from renaissance.predicting.binding import ITEM, ROW

Kind = Literal["none", "bool", "int", "long", "float", "text"]  # long: whole numbers that a float may not hold
PROBABILITIES = "probabilities"
MOST_INT, EXACT_INT = 2**63, 2**53
NUMBERS: dict[frozenset[Kind], Kind] = {frozenset(("int", "float")): "float", frozenset(("int", "long")): "long"}


class Columns:
    """The columns, found by looking at every answer once.

    Args:
        kept: the columns that are carried along.
        class_names: by task the classes that it tells apart.
        texts: every value that is carried along is a text, as CSV has it.
    """

    def __init__(self, kept: Sequence[str], class_names: Mapping[str, Sequence[str]], texts: bool) -> None:
        self._class_names = class_names
        self._kept = list(kept)
        start: Kind = "text" if texts else "none"
        self.kinds: dict[str, Kind] = {ROW: "int", ITEM: "none", **dict.fromkeys(kept, start)}

    def look_at(self, entry: Mapping[str, Any]) -> None:
        """Take in an example that was answered, as the journal has it."""
        for name, value in self._flat(entry):
            self.kinds[name] = _both(self.kinds.get(name, "none"), _kind(value))

    @property
    def names(self) -> list[str]:
        """The columns; `item` only where rows hold several texts."""
        return [name for name, kind in self.kinds.items() if name != ITEM or kind != "none"]

    def cells(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The values of an example by column, each of its column's type."""
        flat = dict(self._flat(entry))
        return {name: _cell(flat.get(name), self.kinds[name]) for name in self.names}

    def nested(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """An example as JSON lines have it: answers as `Model.predict` gives them."""
        item = {ITEM: entry["i"]} if self.kinds[ITEM] != "none" else {}
        found: dict[str, Any] = strict_json({ROW: entry["r"], **item, **entry["k"], **entry["a"]})
        return found

    def _flat(self, entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        yield ROW, entry["r"]
        yield ITEM, entry["i"]
        yield from entry["k"].items()
        for task, answer in entry["a"].items():
            names = self._class_names.get(task, ())
            for key, value in answer.items():
                if key == PROBABILITIES and isinstance(value, dict) and value.keys() == set(names):
                    yield from ((f"{task}_probability_{name}", value[name]) for name in names)
                else:
                    yield f"{task}_{key}", value


def _kind(value: Any) -> Kind:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        if -EXACT_INT <= value <= EXACT_INT:
            return "int"
        return "long" if -MOST_INT <= value < MOST_INT else "text"
    return "float" if isinstance(value, float) else "text"


def _both(one: Kind, other: Kind) -> Kind:
    """A type that takes the values of two."""
    if one == other or other == "none":
        return one
    if one == "none":
        return other
    return NUMBERS.get(frozenset((one, other)), "text")


def _cell(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(strict_json(value), ensure_ascii=False)
    return float(value) if kind == "float" else value
