"""Rows of a CSV file of a run's folder, which may be damaged or hostile."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

MOST_COUNT = 2**63 - 1  # steps and examples that arrays hold


def csv_rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """Rows of CSV; one that is none, such as with a field of a megabyte, is an empty row."""
    reader = csv.reader(lines)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []


def count_of(text: str) -> int:
    """A number of steps or of examples.

    Raises:
        ValueError: it is none, or larger than an array holds.
    """
    count = int(text)
    if abs(count) > MOST_COUNT:
        raise ValueError("it is more than there can be")
    return count
