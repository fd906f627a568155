"""What is right, as the input says it: classes by their names or numbers, and answers with their scores.

In: the values of an example as its row has them. Out: what tasks take; nothing is guessed, for a label that is read
wrong would make the metrics wrong without a word. What is no class is noted, and counts as not known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from renaissance.data.tables.table import UNKNOWN_CLASS
from renaissance.predicting.binding import Bound
from renaissance.predicting.sources.interface import Fault, Faulty

MOST_DIGITS = 18  # of a class's number


class KnownAnswers:
    """Reads the answers of a question.

    Args:
        bound: the columns of the answers, by field.
        names: of the model's classes; None where what is chosen is no class, such as a box.
        own: by column the input's classes, by the numbers that it has; of those columns that say so.
        texts: every value of the input is a text, numbers and lists (as JSON) too.
    """

    def __init__(
        self,
        bound: Mapping[str, Bound],
        names: Sequence[str] | None,
        own: Mapping[str, Sequence[str]],
        texts: bool,
    ) -> None:
        self._bound = bound
        self._names = names
        self._by_name = {name: number for number, name in enumerate(names or ())}
        self._own = own if names is not None else {}
        self._texts = texts

    def of(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """What is right of an example.

        Args:
            values: as the row has them, by field.

        Returns:
            what is right by field, None or an empty list where that is not known; and by column a value that is none
            of the classes.

        Raises:
            Faulty: a value is no number or no list, or there are not as many scores as answers.
        """
        found: dict[str, Any] = {}
        unknown: dict[str, str] = {}
        for field, bound in self._bound.items():
            if bound.type == "class":
                found[field] = self._class(bound, self._single(values[field]), unknown)
            elif bound.type == "classes":
                found[field] = [self._class(bound, entry, unknown) for entry in self._list(bound, values[field])]
            else:
                found[field] = [_number(bound, entry) for entry in self._list(bound, values[field])]
        return self._without_unknown(found), unknown

    def _without_unknown(self, found: dict[str, Any]) -> dict[str, Any]:
        """The lists, which go together, without the places of what is none of the classes. Raises Faulty."""
        lists = {field: values for field, values in found.items() if isinstance(values, list)}
        if len({len(values) for values in lists.values()}) > 1:
            counts = " and ".join(f"{len(values)} {field}" for field, values in lists.items())
            raise Faulty(Fault(self._bound[next(iter(lists))].column, f"the example has {counts}"))
        kept = [all(entry is not None for entry in entries) for entries in zip(*lists.values(), strict=True)]
        return found | {
            field: [value for value, stays in zip(values, kept, strict=True) if stays]
            for field, values in lists.items()
        }

    def _single(self, value: Any) -> Any:
        """A value that stands alone, or as published tables have it in a list of one."""
        while isinstance(value, list) and len(value) < 2:
            value = value[0] if value else None
        return value

    def _list(self, bound: Bound, value: Any) -> list[Any]:
        """A list, of which a single value is one, too. Raises Faulty."""
        if value is None or value == "":
            return []
        if self._texts and isinstance(value, str) and value.lstrip().startswith("["):
            value = parsed(bound, value, "list")
        return value if isinstance(value, list) else [value]

    def _class(self, bound: Bound, value: Any, unknown: dict[str, str]) -> int | None:
        """The number of a class; None where it is not given, or is none of the classes, which is noted."""
        if value is None or value == "" or value == UNKNOWN_CLASS or (self._texts and value == str(UNKNOWN_CLASS)):
            return None
        number = self._number_of(value, self._own.get(bound.column))
        if number is None:
            unknown.setdefault(bound.column, str(value)[:50])
        return number

    def _number_of(self, value: Any, own: Sequence[str] | None) -> int | None:
        """The number of a class by its name or its number; None where there is none such."""
        if isinstance(value, str):
            if value in self._by_name:
                return self._by_name[value]
            digits = value.strip()
            if not (self._texts and digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS):
                return None
            value = int(digits)
        if isinstance(value, bool):
            return self._by_name.get(str(value))
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or not 0 <= value < 10**MOST_DIGITS:
            return None
        if own is not None:
            return self._by_name.get(own[value]) if value < len(own) else None
        return value if self._names is None or value < len(self._names) else None


def parsed(bound: Bound, value: str, what: str) -> Any:
    """What stands as JSON in a field of CSV. Raises Faulty: it is none."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Faulty(Fault(bound.column, f"is no JSON {what}")) from None


def _number(bound: Bound, value: Any) -> float:
    """A score: a number from 0 on, which a field of CSV has as a text. Raises Faulty."""
    try:
        number = math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise Faulty(Fault(bound.column, f"{str(value)[:50]!r} is no score: give numbers from 0 on"))
    return number
