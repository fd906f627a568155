"""A set of seeds: each run is an ordinary one, the table is right, and failures are told apart from mistakes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from renaissance.errors import RunError, UserError
from renaissance.run_sets import seeds_table
from renaissance.run_sets.seeds_table import row_of, without_numbers
from renaissance.tracking import curves
from tests.run_sets.conftest import Sets


def steps_of(log: Path) -> dict[str, list[tuple[float, str]]]:
    """Of each run the times of its steps, with the process that took them."""
    found: dict[str, list[tuple[float, str]]] = {}
    for line in log.read_text().splitlines():
        at, process, run, _ = line.split()
        found.setdefault(run, []).append((float(at), process))
    return found


def test_each_seed_is_an_ordinary_run_and_the_table_has_its_mean_and_interval(sets: Sets, capsys, monkeypatch) -> None:
    monkeypatch.setattr(seeds_table, "draw_comparison", curves.draw_comparison)
    folder = sets.seeds(0, 3, 7)
    assert sets.states("seeds") == ["finished"] * 3
    for number, seed in enumerate((0, 3, 7), 1):
        words = json.loads((sets.log_dir / "itm" / str(number) / "config.json").read_text())["words"]
        assert words == {"seed": str(seed)}, "nothing of the set is on a run's command line"
    values = [float(metrics.splitlines()[-1].split(",")[3]) for metrics in sets.metrics().values()]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    expected = [np.mean(values), np.std(values, ddof=1), low, high]
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [row["metric"] for row in rows] == ["itm/test/accuracy", "itm/val/accuracy"]
    found = [float(rows[0][name]) for name in ("mean", "s", "95 % from", "to")]
    assert found == pytest.approx(expected, rel=1e-12)
    assert [float(rows[0][f"seed {seed}"]) for seed in (0, 3, 7)] == values
    output = capsys.readouterr().out
    assert "seed 3: step 4  itm/val/accuracy 0.9" in output
    assert output.splitlines()[-1] == f"set of seeds: {folder}"
    assert (folder / "plots" / "itm_accuracy.png").is_file()
    assert (folder / "output" / "seed_0.txt").read_text().startswith("$ python ")
    assert (folder / "results.tex").read_text().startswith(r"\begin{tabular}{lrrrrr}")


def test_what_a_run_warns_of_is_said_of_the_set_too_once(sets: Sets, capsys, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_WARNING", "warning: not all is sent; to send it:\n  python run.py sync\nanother line")
    sets.seeds(0, 1)
    output = capsys.readouterr().out
    for seed in (0, 1):
        assert output.count(f"seed {seed}: warning: not all is sent; to send it:") == 1
        assert output.count(f"seed {seed}: python run.py sync\n") == 1
    assert "another line" not in output


def test_a_run_that_has_not_a_metric_does_not_count() -> None:
    assert row_of("a", [1.0, None, 3.0])[1:3] == (2.0, pytest.approx(math.sqrt(2)))
    assert row_of("a", [None]) == ("a", None, None, None, None, 0)


def test_a_seed_that_diverged_leaves_no_mean_and_is_named() -> None:
    _, mean, *spread, count = row_of("itm/test/loss", [0.5, math.nan, 0.7])
    assert isinstance(mean, float)
    assert math.isnan(mean)
    assert (spread, count) == ([None, None, None], 3)
    values: dict[str, list[float | None]] = {
        "itm/test/loss": [0.5, math.nan, 0.7],
        "itm/test/accuracy": [0.5, None, 0.7],
        "b": [math.inf, 1, 2],
    }
    told = list(without_numbers(values, ["seed 0", "seed 1", "seed 2"]))
    assert told == ["itm/test/loss has no mean: nan (seed 1)", "b has no mean: inf (seed 0)"]


def test_two_at_once_are_two_at_a_time_and_no_more(sets: Sets, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.25")
    sets.seeds(0, 1, 2, runs_at_once=2)
    spans = [(times[0][0], times[-1][0]) for times in steps_of(tmp_path / "steps").values()]
    together = [sum(begin <= at <= end for begin, end in spans) for at, _ in spans]
    assert len(spans) == 3
    assert max(together) == 2


def test_one_run_s_failure_leaves_the_others_and_only_it_is_tried_again(sets: Sets, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_FAIL", "seed=1")
    with pytest.raises(RunError, match=r"1 of 3 runs failed:\n  \* seed 1: this run was told to fail"):
        sets.seeds(0, 1, 2)
    assert sets.states("seeds") == ["finished", "failed", "finished"]
    assert sets.record("seeds")["status"] == "failed"
    monkeypatch.delenv("FAKE_FAIL")
    before = len((tmp_path / "steps").read_text().splitlines())
    sets.seeds(0, 1, 2, resume_from="auto")
    assert sets.newest("seeds").name == "1"
    assert sets.states("seeds") == ["finished"] * 3
    assert len((tmp_path / "steps").read_text().splitlines()) - before == 6


def test_a_mistake_ends_the_set_once_and_leaves_no_run(sets: Sets, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_FAIL", "task_itm")
    monkeypatch.setenv("FAKE_STATUS", "2")
    with pytest.raises(UserError, match="this run was told to fail") as refused:
        sets.seeds(0, 1, 2)
    assert str(refused.value).count("told to fail") == 1
    assert list((sets.log_dir / "itm").iterdir()) == []
    assert sets.record("seeds")["status"] == "stopped"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"seeds": [0, 0]}, "seeds: must name each once"),
        ({"seeds": [1.5]}, "must be a list of different whole numbers"),
        ({"test_only": True, "load_path": __file__}, "nothing is trained"),
        ({"test_only": True}, "a fault:\n.*nothing is trained"),
        ({"resume_from": __file__}, "is one run's, and seeds makes several"),
        ({"loss_names": {}, "resume_from": "auto"}, "loss_names: no task is on"),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_folder(sets: Sets, given, expected) -> None:
    given = {"seeds": [0, 1], **given}
    with pytest.raises(UserError, match=expected):
        sets.seeds(*given.pop("seeds"), **given)
    assert not sets.log_dir.exists()


def test_a_finished_set_is_extended_by_more_seeds_and_left_alone_by_the_same(sets: Sets, tmp_path) -> None:
    sets.seeds(0, 1)
    sets.seeds(0, 1, 2, resume_from="auto")
    assert sets.newest("seeds").name == "1"
    assert len((tmp_path / "steps").read_text().splitlines()) == 18
    sets.seeds(0, 1, 2, resume_from="auto", learning_rate=1e-2)  # another configuration
    sets.seeds(2, resume_from="auto", learning_rate=1e-2)  # finished there
    assert [path.name for path in sorted((sets.log_dir / "seeds").iterdir())] == ["1", "2", "3"]
