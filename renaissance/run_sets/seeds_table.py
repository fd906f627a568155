"""What the runs of a set of seeds come to together: a table on the terminal and as CSV, and their curves."""

from __future__ import annotations

import math
from collections.abc import Sequence

from renaissance.atomic_files import write_csv
from renaissance.run_sets.member import Member
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.set_folder import RunSet
from renaissance.text_table import text_table
from renaissance.tracking.curves import draw_comparison
from renaissance.tracking.metrics import Point, best_point, read_points, split_of
from renaissance.tracking.statistics import estimate

COLUMNS = ("metric", "mean", "spread", "95 % from", "to", "seeds")
BEST = "best val"  # how a validation's metric is called of which the best value counts, beside tests' final ones


def write_table(run_set: RunSet, finished: Sequence[Member], objective: Objective) -> None:
    """Print the table, write `results.csv` with each seed's value too, and draw the curves into `plots/`.

    Args:
        run_set: the set.
        finished: its runs that have finished, one at least.
        objective: what tells the best checkpoint, for a line.
    """
    points = {member.name: read_points(member.run.metrics) for member in finished}
    values = values_by_metric(list(points.values()))
    rows = [row_of(name, of_runs) for name, of_runs in values.items()]
    each = [[row[0], *row[1:], *values[str(row[0])]] for row in rows]
    write_csv(run_set.path / "results.csv", (*COLUMNS, *points), each)
    print(text_table(COLUMNS, rows))
    print(f"best checkpoint by: {objective.in_words()}; spread: standard deviation over seeds, with n - 1; "
          "95 %: of the mean, by Student's t")  # fmt: skip
    draw_comparison(points, run_set.path / "plots")


def values_by_metric(runs: Sequence[dict[str, list[Point]]]) -> dict[str, list[float | None]]:
    """Each metric's value in each run: of tests, then the best of validations; None where a run has none.

    Args:
        runs: of each run, its points by the metrics' names, `<task>/<split>/<metric>`.
    """
    names = dict.fromkeys(name for points in runs for name in points)
    found: dict[str, list[float | None]] = {}
    for name in sorted(names, key=lambda name: split_of(name) == "val"):
        if split_of(name) == "val":
            told = name.replace("/val/", f"/{BEST}/")
            found[told] = [best_point(name, points[name]).value if name in points else None for points in runs]
        elif split_of(name) != "train":
            found[name] = [points[name][-1].value if name in points else None for points in runs]
    return found


def row_of(name: str, values: Sequence[float | None]) -> tuple[object, ...]:
    """A metric's row: over the runs that have a number for it."""
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    if not numbers:
        return (name, None, None, None, None, 0)
    over = estimate(numbers)
    return (name, over.mean, over.deviation, over.low, over.high, over.count)
