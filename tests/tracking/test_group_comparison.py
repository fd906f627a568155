"""Groups of runs side by side, from folders to files: means, differences over runs and over examples, tables."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from renaissance.tracking.compare import compare_runs
from renaissance.tracking.group_comparison import compare_groups
from renaissance.tracking.listed_run import read_listed
from tests.tracking.run_folders import CURVES, make_run, write_predictions
from tests.tracking.test_compare import comparing

IDS = [f"pair {number}" for number in range(40)]


def run_of(folder, accuracy, *, predicted=None, **settings):
    """A run with a test accuracy and a loss of one minus that; with predictions, where the right answers are given."""
    tested = {"snli/test/accuracy": [(20, accuracy)], "snli/test/loss": [(20, 1 - accuracy)]}
    path = make_run(folder, {**CURVES, "snli/val/accuracy": [(20, accuracy + 0.1)], **tested}, **settings)
    if predicted is not None:
        write_predictions(path, [(name, {"accuracy": value}) for name, value in zip(IDS, predicted, strict=False)])
    return str(path)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def compared(tmp_path, runs):
    """The folder of a comparison, without its curves."""
    folder = tmp_path / "compared"
    folder.mkdir()
    compare_groups([read_listed(Path(run), "/".join(Path(run).parts[-2:])) for run in runs], folder)
    return folder


def rate_of(number):
    """Learning rates that tell groups apart."""
    return {"learning_rate": 1e-4 * (number + 1)}


def test_two_groups_of_seeds_have_means_intervals_and_the_difference(tmp_path, capsys):
    first, second = [0.70, 0.72, 0.71], [0.75, 0.79]
    runs = [run_of(tmp_path / "one" / str(seed + 1), value, seed=seed) for seed, value in enumerate(first)]
    runs += [
        run_of(tmp_path / "two" / str(seed + 1), value, seed=seed, learning_rate=1e-3)
        for seed, value in enumerate(second)
    ]
    folder = compare_runs(comparing(tmp_path, runs))
    groups = {(row["runs"], row["metric"]): row for row in rows_of(folder / "groups.csv")}
    row = groups["one/1-3", "snli/test/accuracy"]
    low, high = stats.t.interval(0.95, 2, np.mean(first), stats.sem(first))
    assert [float(row[name]) for name in ("mean", "s", "95 % from", "to", "n")] == pytest.approx(
        [0.71, 0.01, low, high, 3]
    )
    assert row["seeds"] == "0, 1, 2"
    assert float(groups["two/1-2", "snli/val/accuracy"]["mean"]) == pytest.approx(0.87)
    (difference,) = [row for row in rows_of(folder / "differences.csv") if row["metric"] == "snli/test/accuracy"]
    theirs = stats.ttest_ind(first, second, equal_var=False)
    interval = theirs.confidence_interval()
    assert [float(difference[name]) for name in ("difference", "95 % from", "to", "p", "p (Holm)")] == pytest.approx(
        [np.mean(first) - np.mean(second), interval.low, interval.high, theirs.pvalue, theirs.pvalue]
    )
    said = capsys.readouterr().out
    assert "runs that differ in the seed alone" in said
    assert "p (Holm): adjusted" not in said
    assert said.splitlines()[-1] == f"comparison: {folder}"


def test_two_runs_are_compared_by_mcnemars_test_over_their_answers(tmp_path, capsys):
    right, other = np.ones(40), np.ones(40)
    right[0], other[1:8] = 0, 0
    runs = [run_of(tmp_path / "one" / str(number), value.mean(), predicted=value, max_steps=number)
            for number, value in ((1, right), (2, other))]  # fmt: skip
    folder = compared(tmp_path, runs)
    rows = [row for row in rows_of(folder / "differences.csv") if row["metric"] == "snli/test/accuracy"]
    assert [row["by"] for row in rows] == ["single runs: no interval", "McNemar's exact test over examples, 40"]
    assert float(rows[1]["difference"]) == pytest.approx(6 / 40)
    assert float(rows[1]["p"]) == pytest.approx(2 * (1 + 8) / 2**8)
    assert "runs that differ in the seed alone" not in capsys.readouterr().out


def test_groups_are_compared_by_the_means_of_what_each_example_has(tmp_path):
    rng = np.random.default_rng(0)
    answers = [(rng.random((2, 40)) < share).astype(float) for share in (0.5, 0.9)]
    runs = [run_of(tmp_path / str(rate) / str(seed + 1), row.mean(), predicted=row, seed=seed, **rate_of(rate))
            for rate, rows in enumerate(answers) for seed, row in enumerate(rows)]  # fmt: skip
    rows = [row for row in rows_of(compared(tmp_path, runs) / "differences.csv") if "over examples" in row["by"]]
    (row,) = rows
    assert row["by"] == "sign-flip test over examples, 40"
    differences = answers[0].mean(0) - answers[1].mean(0)
    assert float(row["difference"]) == pytest.approx(differences.mean())
    error = differences.std(ddof=1) / math.sqrt(40)
    assert float(row["95 % from"]) == pytest.approx(differences.mean() - 1.96 * error, abs=0.25 * error)
    assert float(row["smallest shown"]) == pytest.approx((1.959964 + 0.841621) * error, rel=1e-5)


def test_several_pairs_are_adjusted_after_holm(tmp_path, capsys):
    runs = [run_of(tmp_path / str(rate) / str(seed + 1), 0.5 + 0.1 * rate + 0.01 * seed, seed=seed, **rate_of(rate))
            for rate in range(3) for seed in range(2)]  # fmt: skip
    rows = [
        row for row in rows_of(compared(tmp_path, runs) / "differences.csv") if row["metric"] == "snli/test/accuracy"
    ]
    assert [(row["runs"], row["against"]) for row in rows] == [
        ("0/1-2", "1/1-2"),
        ("0/1-2", "2/1-2"),
        ("1/1-2", "2/1-2"),
    ]
    given = [float(row["p"]) for row in rows]
    ranks = sorted(range(3), key=given.__getitem__)
    adjusted = [min(1, (3 - rank) * given[index]) for rank, index in enumerate(ranks)]
    assert [float(rows[index]["p (Holm)"]) for index in ranks] == pytest.approx(list(np.maximum.accumulate(adjusted)))
    assert "p (Holm): adjusted" in capsys.readouterr().out


def test_examples_that_not_all_have_are_said_and_equal_ids_are_told_apart(tmp_path, capsys):
    one, two = (run_of(tmp_path / "one" / str(number), 0.5, max_steps=number) for number in (1, 2))
    first = [
        ("a", {"accuracy": 1.0}),
        ("a", {"accuracy": 0.0}),
        ("b", {"accuracy": 1.0}),
        ("c", {}),
        ("d", {"accuracy": 1.0}),
    ]
    second = [("d", {"accuracy": 0.0}), ("a", {"accuracy": 1.0}), ("a", {"accuracy": 0.0}), ("c", {"accuracy": 1.0})]
    write_predictions(tmp_path / "one" / "1", first)
    write_predictions(tmp_path / "one" / "2", second)
    rows = [row for row in rows_of(compared(tmp_path, [one, two]) / "differences.csv") if "over examples" in row["by"]]
    assert [row["by"] for row in rows] == ["McNemar's exact test over examples, too few for an interval, 3"]
    assert float(rows[0]["difference"]) == pytest.approx(1 / 3), "both phrases of a are answered alike"
    assert f"left out: 1 of 4 ({one}); 1 of 4 ({two})" in capsys.readouterr().out


@pytest.mark.parametrize(("line", "said"), [
    ('{"id": "pair 0", "answer": "neutral"}\n', "no values of accuracy"),
    ('{"id": "pair 0", "val', "line 1: is no prediction"),
    ('{"answer": "neutral"}\n', "line 1: is no prediction"),
    ('{"id": "other", "values": {"accuracy": 1}}\n', "no example has the same id"),
    ('{"id": "pair 0", "values": {"accuracy": NaN}}\n', "are no numbers"),
    (None, "is not there"),
])  # fmt: skip
def test_predictions_that_cannot_be_compared_are_said(tmp_path, capsys, line, said):
    one, two = (
        run_of(tmp_path / "one" / str(number), 0.5, predicted=[1.0, 0.0], max_steps=number) for number in (1, 2)
    )
    path = tmp_path / "one" / "2" / "predictions" / "snli_test.jsonl"
    if line is None:
        path.unlink()
    else:
        path.write_text(line)
    folder = compared(tmp_path, [one, two])
    assert "not compared example by example" in (told := capsys.readouterr().out)
    assert said in told
    assert not any("over examples" in row["by"] for row in rows_of(folder / "differences.csv"))


def test_tables_for_papers_have_the_best_in_bold_and_escape_what_is_theirs(tmp_path):
    runs = [
        run_of(tmp_path / "a_b%" / str(seed + 1), 0.5 + 0.1 * seed, seed=seed, learning_rate=1e-4) for seed in range(2)
    ]
    runs += [run_of(tmp_path / "c|d" / "1", 0.8, learning_rate=1e-3)]
    folder = compared(tmp_path, runs)
    assert (folder / "comparison.md").read_text() == (
        "| metric | a\\_b%/1-2 | c\\|d/1 |\n| --- | --- | --- |\n"
        "| snli/val/accuracy | 0.65 ± 0.071 | **0.9** |\n| snli/test/accuracy | 0.55 ± 0.071 | **0.8** |\n"
    )
    latex = (folder / "comparison.tex").read_text()
    assert "metric & a\\_b\\%/1-2 & c\\textbar{}d/1 \\\\\n" in latex
    assert "snli/test/accuracy & 0.55 $\\pm$ 0.071 & \\textbf{0.8} \\\\\n" in latex
    assert latex.splitlines()[0:2] == ["\\begin{tabular}{lrr}", "\\toprule"]


def test_less_is_better_where_a_loss_is_what_tells(tmp_path):
    given = {"loss_names": {"mlm": 1}, "monitor": "mlm/val/loss"}
    runs = [
        make_run(tmp_path / "one" / str(number), {"mlm/val/loss": [(10, value)]}, max_steps=number, **given)
        for number, value in ((1, 2.0), (2, 1.5))
    ]
    table = (compared(tmp_path, [str(run) for run in runs]) / "comparison.md").read_text()
    assert "| mlm/val/loss | 2 | **1.5** |" in table


def test_a_run_that_is_not_finished_is_in_no_mean_and_that_is_said(tmp_path, capsys):
    runs = [
        run_of(tmp_path / "one" / "1", 0.5, seed=0),
        run_of(tmp_path / "one" / "2", 0.9, seed=1, status="interrupted"),
    ]
    folder = compared(tmp_path, runs)
    assert [row["n"] for row in rows_of(folder / "groups.csv")] == ["1", "1"]
    assert "one/1-2: not counted, for not finished: one/2 (interrupted)" in capsys.readouterr().out


def test_runs_that_are_no_repeats_are_compared_and_it_is_said_why(tmp_path, capsys):
    runs = [run_of(tmp_path / "one" / str(number), 0.5, seed=0, data_root=f"/data/{number}") for number in (1, 2)]
    folder = compared(tmp_path, runs)
    assert [row["n"] for row in rows_of(folder / "groups.csv") if row["metric"] == "snli/test/accuracy"] == ["1", "1"]
    said = capsys.readouterr().out
    assert "one/2: not counted together with runs of the same settings: they read tables of different folders" in said
