"""Groups of runs side by side: their means, and between any two the difference and what is known of it.

Comes in: runs as a listing has them. Goes out: `groups.csv` and `differences.csv`, the table of means as
`comparison.md` and `comparison.tex`, and the same on the terminal. No PyTorch here.

A difference has up to two rows. Over runs, where both groups have several seeds: would other seeds show it too? Over
the examples of a test that both answered: would other examples? Neither answers the other's question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from renaissance.atomic_files import whole_file, write_csv
from renaissance.text_table import printable, text_table
from renaissance.tracking.figures import figures
from renaissance.tracking.groups import SeedGroup, seed_groups
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.metrics import TRAINING_SPLITS, more_is_better, split_of
from renaissance.tracking.predictions import matched
from renaissance.tracking.statistics import Difference, Estimate, estimate, holm, paired, welch
from renaissance.tracking.tables import Place, latex_table, markdown_table

GROUP_COLUMNS = ("runs", "metric", "mean", "s", "95 % from", "to", "n", "seeds")
DIFFERENCE_COLUMNS = ("metric", "runs", "against", "difference", "95 % from", "to", "p", "p (Holm)",
                      "smallest shown", "by")  # fmt: skip
Rows = list[list[object]]


@dataclass(frozen=True)
class Compared:
    """A difference between two groups.

    Attributes:
        metric: of which metric, by whole name.
        first: the group that it is counted from.
        second: the other.
        found: the difference, first minus second.
        adjusted: its p-value, adjusted for the other pairs of groups; None where it has none.
    """

    metric: str
    first: SeedGroup
    second: SeedGroup
    found: Difference
    adjusted: float | None = None


def compare_groups(runs: Sequence[ListedRun], folder: Path) -> None:
    """Print and write how groups of runs compare.

    Args:
        runs: two or more, by the names that tables call them.
        folder: where the files go.
    """
    groups = seed_groups(runs)
    for run in runs:
        if run.status == "broken":
            print(f"{run.name}: left out of what follows: {printable(run.error)}")
    values = {group.name: _values(group) for group in groups}
    estimates = _estimates(values)
    if not estimates:
        return
    rows_of_groups = _group_rows(groups, estimates)
    write_csv(folder / "groups.csv", GROUP_COLUMNS, rows_of_groups)
    _write_means(groups, estimates, folder)
    if any(len(group.runs) > 1 for group in groups):
        print("\nruns that differ in the seed alone:")
        print(text_table(GROUP_COLUMNS, rows_of_groups))
    _print_remarks(groups)
    rows, remarks = _difference_rows(groups, values, list(estimates))
    if rows:
        write_csv(folder / "differences.csv", DIFFERENCE_COLUMNS, rows)
        print("\ndifferences, the first runs' figure minus the other's:")
        print(text_table(DIFFERENCE_COLUMNS, rows))
        for note in notes_on_differences(groups):
            print(note)
    for remark in remarks:
        print(printable(remark))


def group_rows(groups: Sequence[SeedGroup]) -> Rows:
    """For each group and figure its mean, standard deviation, the mean's 95 % interval, and of how many runs."""
    return _group_rows(groups, _estimates({group.name: _values(group) for group in groups}))


def difference_rows(groups: Sequence[SeedGroup]) -> tuple[Rows, list[str]]:
    """The differences between every two groups, a row each (`DIFFERENCE_COLUMNS`), and what is to be said of them."""
    values = {group.name: _values(group) for group in groups}
    return _difference_rows(groups, values, list(_estimates(values)))


def notes_on_differences(groups: Sequence[SeedGroup]) -> Iterator[str]:
    """What the columns of a table of differences mean."""
    yield "smallest shown: the smallest true difference that so many runs, or examples, find with 80 % probability"
    if len(groups) > 2:
        yield "p (Holm): adjusted for the several pairs of runs that are compared by one metric and test"


def _difference_rows(
    groups: Sequence[SeedGroup], values: Mapping[str, Mapping[str, Sequence[float]]], metrics: Sequence[str]
) -> tuple[Rows, list[str]]:
    remarks: list[str] = []
    rows = [_row(compared) for compared in _differences(groups, values, metrics, remarks.append)]
    return rows, list(dict.fromkeys(remarks))


def _group_rows(groups: Sequence[SeedGroup], estimates: Mapping[str, Mapping[str, Estimate]]) -> Rows:
    rows: Rows = []
    for group in groups:
        seeds = ", ".join(str(seed) for seed in group.seeds)
        for metric, of_groups in estimates.items():
            if group.name in of_groups:
                one = of_groups[group.name]
                rows.append([group.name, metric, one.mean, one.deviation, one.low, one.high, one.count, seeds])
        if not group.counted:
            rows.append([group.name, "", None, None, None, None, 0, ""])
    return rows


def _estimates(groups: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, Estimate]]:
    """By metric and by the group's name, the mean over its runs."""
    found: dict[str, dict[str, Estimate]] = {}
    for name, metrics in groups.items():
        for metric, values in metrics.items():
            found.setdefault(metric, {})[name] = estimate(values)
    return found


def _values(group: SeedGroup) -> dict[str, list[float]]:
    """By metric, a value of each run that counts and has one. It may take reading their metrics."""
    found: dict[str, list[float]] = {}
    for run in group.counted:
        for metric, value in figures(run).items():
            found.setdefault(metric, []).append(value)
    return found


def _differences(
    groups: Sequence[SeedGroup],
    values: Mapping[str, Mapping[str, Sequence[float]]],
    metrics: Sequence[str],
    remark: Callable[[str], None],
) -> Iterator[Compared]:
    """Every pair of groups by every metric: over runs, then over examples where their predictions can be matched."""
    pairs = list(combinations(groups, 2))
    for metric in metrics:
        over_runs, over_examples = [], []
        for one, other in pairs:
            if metric in values[one.name] and metric in values[other.name]:
                found = welch(values[one.name][metric], values[other.name][metric])
                over_runs.append(Compared(metric, one, other, found))
                answered = _over_examples(metric, one, other, remark)
                over_examples += [answered] if answered else []
        yield from (*_adjusted(over_runs), *_adjusted(over_examples))


def _over_examples(metric: str, first: SeedGroup, second: SeedGroup, remark: Callable[[str], None]) -> Compared | None:
    """A pair of groups by what they answered on the same examples; None, and said, where that cannot be told."""
    task, split, name = metric.split("/")
    if split_of(metric) in TRAINING_SPLITS:
        return None
    ones, others = ([run.folder for run in group.counted if metric in run.tested] for group in (first, second))
    if not any(folder.predictions.is_dir() for folder in (*ones, *others)):
        return None  # of a task that does not predict
    found = matched(ones, others, task, split, name)
    if isinstance(found, str):
        remark(f"{metric}: not compared example by example: {found}")
        return None
    for told in found.remarks:
        remark(f"{metric}: {told}")
    difference = paired(found.first, found.second, found.exact)
    return Compared(metric, first, second, replace(difference, test=f"{difference.test}, {len(found.first):,}"))


def _adjusted(compared: Sequence[Compared]) -> list[Compared]:
    """Differences with the p-values adjusted for their number."""
    known = [one.found.p_value for one in compared if one.found.p_value is not None]
    adjusted = iter(holm(known))
    return [one if one.found.p_value is None else replace(one, adjusted=next(adjusted)) for one in compared]


def _row(compared: Compared) -> list[object]:
    found = compared.found
    return [compared.metric, compared.first.name, compared.second.name, found.difference, found.low, found.high,
            found.p_value, compared.adjusted, found.detectable, found.test]  # fmt: skip


def _write_means(groups: Sequence[SeedGroup], estimates: dict[str, dict[str, Estimate]], folder: Path) -> None:
    """The table of means for Markdown and LaTeX: a row a metric, a column a group, the best of each row in bold."""
    header = ["metric", *(group.name for group in groups)]
    rows: list[list[object]] = []
    bold: set[Place] = set()
    for metric, of_groups in estimates.items():
        cells = [of_groups.get(group.name) for group in groups]
        bold |= {(len(rows), 1 + column) for column in _best(metric, cells)}
        rows.append([metric, *(_with_spread(cell) for cell in cells)])
    for name, table in (("comparison.md", markdown_table), ("comparison.tex", latex_table)):
        with whole_file(folder / name) as temporary:
            temporary.write_text(table(header, rows, bold), encoding="utf-8")


def _best(metric: str, cells: Sequence[Estimate | None]) -> list[int]:
    """The columns with the best mean; none where all have the same."""
    means = {column: cell.mean for column, cell in enumerate(cells) if cell is not None and cell.mean == cell.mean}
    if len(set(means.values())) < 2:
        return []
    best = (max if more_is_better(metric) else min)(means.values())
    return [column for column, mean in means.items() if mean == best]


def _with_spread(cell: Estimate | None) -> float | str | None:
    """A mean with its standard deviation, such as "0.713 ± 0.012"; of a single run its figure."""
    if cell is None:
        return None
    return cell.mean if cell.deviation is None else f"{cell.mean:.4g} ± {cell.deviation:.2g}"


def _print_remarks(groups: Sequence[SeedGroup]) -> None:
    for group in groups:
        for told in group.remarks:
            print(f"{group.name}: {printable(told)}")
