"""What runs have answered on the same examples, put side by side.

Comes in: files `predictions/<task>_<split>.jsonl`, a line an example with its "id" and, under "values", what it adds to
each metric. Goes out: one value an example and run, of the examples that all have. No PyTorch here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from renaissance.errors import UserError
from renaissance.tasks.declaration import PREDICTED_VALUES
from renaissance.tracking.run_folder import RunFolder

Key = tuple[str, int]  # an example: its id, and of several with that the how-manieth


@dataclass(frozen=True)
class Matched:
    """The values of two groups of runs on the examples that all of them answered.

    Attributes:
        first: (N,) by example the mean over the first group's runs.
        second: (N,) over the second's.
        exact: every value is 0 or 1 and there is one run on either side, so answers are right or wrong.
        remarks: what was not matched, and why.
    """

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    exact: bool
    remarks: tuple[str, ...]


def read_values(path: Path, metric: str) -> dict[Key, float]:
    """What each example adds to a metric, by the example; examples without an answer add nothing.

    Args:
        path: the file of predictions.
        metric: its name, such as "accuracy".

    Raises:
        UserError: the file cannot be read, or a line of it is no prediction.
    """
    found: dict[Key, float] = {}
    seen: dict[str, int] = {}
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                number += 1
                row = json.loads(line)
                name = str(row["id"])
                seen[name] = seen.get(name, 0) + 1
                value = row.get(PREDICTED_VALUES, {}).get(metric)
                if value is not None:
                    found[name, seen[name]] = float(value)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}, line {number}: is no prediction ({error})") from error
    return found


def matched(
    first: Sequence[RunFolder], second: Sequence[RunFolder], task: str, split: str, metric: str
) -> Matched | str:
    """The values of two groups of runs on the same examples.

    Args:
        first: the folders of one group's runs.
        second: those of the other's.
        task: the task.
        split: the split that both were tested on.
        metric: the metric's name.

    Returns:
        the values; or why there are none to compare.
    """
    tables: list[dict[Key, float]] = []
    for folder in (*first, *second):
        path = folder.predictions / f"{task}_{split}.jsonl"
        if not path.is_file():
            return f"{path} is not there"
        try:
            tables.append(read_values(path, metric))
        except UserError as error:
            return str(error)
        if not tables[-1]:
            return f"{path} has no values of {metric}: test that run again with this version, or it has no answers"
    common = set(tables[0]).intersection(*tables[1:])
    if not common:
        return f"of {task} on {split} no example has the same id in all runs"
    keys = sorted(common)
    values = np.array([[table[key] for key in keys] for table in tables])
    exact = len(tables) == 2 and bool(np.isin(values, (0.0, 1.0)).all())
    remarks = tuple(_unmatched((*first, *second), tables, len(common)))
    if not np.isfinite(values).all():
        return f"of {task} on {split} values of {metric} are no numbers"
    return Matched(values[: len(first)].mean(axis=0), values[len(first) :].mean(axis=0), exact, remarks)


def _unmatched(folders: Sequence[RunFolder], tables: Sequence[Mapping[Key, float]], common: int) -> list[str]:
    """What to say of runs with examples that not all have."""
    told = [f"{len(table) - common:,} of {len(table):,} ({folder.path})"
            for folder, table in zip(folders, tables, strict=True) if len(table) > common]  # fmt: skip
    return [f"examples that not all runs have are left out: {'; '.join(told)}"] if told else []
