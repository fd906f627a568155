"""A run in figures: `summary.json`, and the table of results that ends its output.

No PyTorch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renaissance.text_table import text_table
from renaissance.tracking.metrics import TRAINING_SPLITS, Point, best_point, splits_in_order


@dataclass(frozen=True)
class PartFigures:
    """A part of the model in figures.

    Attributes:
        name: the part.
        parameters: how many it has.
        trained: how many of them are trained.
        learning_rate: its full learning rate; None where it is frozen.
        beginning: where its weights come from: pretrained ones, a checkpoint, or random ones.
    """

    name: str
    parameters: int
    trained: int
    learning_rate: float | None
    beginning: str


def best_values(points: Mapping[str, Sequence[Point]]) -> dict[str, float]:
    """Every metric's best value."""
    return {name: best_point(name, series).value for name, series in points.items()}


def final_values(points: Mapping[str, Sequence[Point]]) -> dict[str, float]:
    """Every metric's last value."""
    return {name: series[-1].value for name, series in points.items()}


def results_table(points: Mapping[str, Sequence[Point]]) -> str:
    """The metrics as a table: a row a task and metric, a column a split (last value) and the best validation value.

    Columns are train and val, then the other splits as they came.
    """
    final, best = final_values(points), best_values(points)
    splits = list(dict.fromkeys((*TRAINING_SPLITS, *splits_in_order(points))))
    rows = []
    for task, metric in sorted({(name.split("/")[0], name.split("/")[2]) for name in points}):
        values = [final.get(f"{task}/{split}/{metric}") for split in splits]
        rows.append([task, metric, *values, best.get(f"{task}/val/{metric}")])
    return text_table(["task", "metric", *splits, "best val"], rows)


def parts_table(parts: Sequence[PartFigures], last_factor: float | None = None) -> str:
    """Parameters, full learning rates and beginnings by part.

    Args:
        parts: the parts.
        last_factor: what the schedule multiplied the full learning rates by at the last step, to be shown beside them;
            None where no step was taken yet.
    """
    factors = [1.0] if last_factor is None else [1.0, last_factor]
    rows: list[list[Any]] = [
        [
            part.name,
            part.parameters,
            part.trained,
            *(None if part.learning_rate is None else part.learning_rate * factor for factor in factors),
            part.beginning,
        ]
        for part in parts
    ]
    totals = sum(part.parameters for part in parts), sum(part.trained for part in parts)
    rows.append(["total", *totals, *(None for _ in factors), ""])
    rates = ["learning rate", "at the last step"][: len(factors)]
    return text_table(["part", "parameters", "trained", *rates, "from"], rows)
