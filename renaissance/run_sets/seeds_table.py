"""What the runs of a set of seeds come to together: a table on the terminal and in files, and their curves.

Comes in: the finished runs. Goes out: `results.csv`, with each seed's value too, the same as `results.md` and
`results.tex`, and `plots/`, a picture a metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from renaissance.atomic_files import whole_file, write_csv
from renaissance.run_sets.member import Member
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.set_folder import RunSet
from renaissance.text_table import text_table
from renaissance.tracking.curves import draw_comparison
from renaissance.tracking.drawing.run_curves import Look, read_curves
from renaissance.tracking.metrics import Point, best_point, read_points, split_of
from renaissance.tracking.statistics import estimate
from renaissance.tracking.tables import latex_table, markdown_table

COLUMNS = ("metric", "mean", "s", "95 % from", "to", "n")


def write_table(run_set: RunSet, finished: Sequence[Member], objective: Objective, look: Look) -> None:
    """Print the table, write it, and draw the curves.

    Args:
        run_set: the set.
        finished: its runs that have finished, one at least.
        objective: what tells the best checkpoint, for a line.
        look: how the curves are drawn: the runs' mean, and their standard deviation on both sides of it.
    """
    points = {member.name: read_points(member.run.metrics) for member in finished}
    values = values_by_metric(list(points.values()))
    rows = [row_of(name, of_runs) for name, of_runs in values.items()]
    each = [[*row, *of_runs] for row, of_runs in zip(rows, values.values(), strict=True)]
    write_csv(run_set.path / "results.csv", (*COLUMNS, *points), each)
    for name, table in {"results.md": markdown_table, "results.tex": latex_table}.items():
        with whole_file(run_set.path / name) as temporary:
            temporary.write_text(table(COLUMNS, rows), encoding="utf-8")
    print(text_table(COLUMNS, rows))
    print("of a validation the best value, of a test its own; s: standard deviation over the seeds, with n - 1; "
          "95 %: of the mean, by Student's t")  # fmt: skip
    for line in without_numbers(values, list(points)):
        print(line)
    print(f"best checkpoints by: {objective.in_words()}")
    curves = [read_curves(str(member.folder)) for member in finished]
    draw_comparison(
        {f"{len(curves)} seeds" if len(curves) > 1 else finished[0].name: curves}, run_set.path / "plots", look
    )


def values_by_metric(runs: Sequence[dict[str, list[Point]]]) -> dict[str, list[float | None]]:
    """Each metric's value in each run: of tests, then the best of validations; None where a run has none.

    Args:
        runs: of each run, its points by the metrics' names, `<task>/<split>/<metric>`.
    """
    names = sorted({name for points in runs for name in points if split_of(name) != "train"})
    tests_first = sorted(names, key=lambda name: split_of(name) == "val")
    return {name: [_value(name, points.get(name, [])) for points in runs] for name in tests_first}


def row_of(name: str, values: Sequence[float | None]) -> tuple[object, ...]:
    """A metric's row: over the runs that have a value for it.

    One that is no number, as of a run that diverged, is a value: the mean is none then either, as `compare` has it.
    """
    known = [value for value in values if value is not None]
    if not known:
        return (name, None, None, None, None, 0)
    over = estimate(known)
    return (name, over.mean, over.deviation, over.low, over.high, over.count)


def without_numbers(values: Mapping[str, Sequence[float | None]], runs: Sequence[str]) -> Iterator[str]:
    """A line for each metric that is no finite number in some runs, naming them.

    Args:
        values: by metric, of each run.
        runs: the runs' names, in the same order.
    """
    for name, of_runs in values.items():
        told = [f"{value} ({run})" for run, value in zip(runs, of_runs, strict=True)
                if value is not None and not math.isfinite(value)]  # fmt: skip
        if told:
            yield f"{name} has no mean: {', '.join(told)}"


def _value(name: str, series: Sequence[Point]) -> float | None:
    if not series:
        return None
    return best_point(name, series).value if split_of(name) == "val" else series[-1].value
