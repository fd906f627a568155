"""Sweeps: what is tried, in which order, what is given up, what the tables say; killed and gone on with."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from renaissance.errors import RunError, UserError
from renaissance.run_sets.member import State, Trial
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.set_folder import RunSet, read_set
from renaissance.run_sets.sweeping import results
from renaissance.run_sets.sweeping.picture import draw_parallel
from renaissance.run_sets.sweeping.results import main_effects
from renaissance.run_sets.sweeping.space import Choices, Range, Space, combinations, drawn, read_space
from renaissance.run_sets.sweeping.study import Study, importances
from renaissance.training.monitoring import Monitor
from tests.run_sets.conftest import Sets
from tests.run_sets.fake_run import STEPS
from tests.run_sets.test_killed_sets import end_of, lines, linux, wait_for_steps

RATES = {"learning_rate": [1e-4, 1e-3, 1e-2]}
ACCURACY, LOSS = Objective(Monitor({"itm/val/accuracy": 1.0})), Objective(Monitor({"itm/val/loss": 1.0}))


def trials_of(sets: Sets) -> list[Trial]:
    found = read_set(sets.newest("sweeps"))
    assert found is not None
    return found.trials


def test_a_grid_is_every_combination_ranked_by_the_best_validation(sets: Sets, capsys) -> None:
    folder = sets.sweep({**RATES, "num_cross_layers": [1, 2]})
    output = capsys.readouterr().out
    assert "best by: itm/val/accuracy (more is better)" in output
    tried = [tuple(trial.values.values()) for trial in trials_of(sets)]
    assert tried == [(rate, layers) for rate in (1e-4, 1e-3, 1e-2) for layers in (1, 2)]
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [float(row["learning_rate"]) for row in rows][:2] == [1e-3, 1e-3]
    assert {float(row["learning_rate"]) for row in rows[2:]} == {1e-4, 1e-2}
    values = [float(row["itm/val/accuracy"]) for row in rows]
    assert values == sorted(values, reverse=True)
    for row in rows:
        metrics = (Path(row["runs"]) / "metrics.csv").read_text().splitlines()[1:]
        seen = [float(line.split(",")[3]) for line in metrics if "/val/" in line]
        assert float(row["itm/val/accuracy"]) == max(seen)
    effects = {(row["setting"], row["value"]): row for row in csv.DictReader((folder / "main_effects.csv").open())}
    of_rate = [float(row["itm/val/accuracy"]) for row in rows if float(row["learning_rate"]) == 1e-4]
    assert float(effects["learning_rate", "0.0001"]["mean"]) == pytest.approx(np.mean(of_rate), rel=1e-12)
    assert float(effects["learning_rate", "0.0001"]["s"]) == pytest.approx(np.std(of_rate, ddof=1), abs=1e-12)
    assert "best: trial 2, itm/val/accuracy" in output


def test_a_trial_of_several_seeds_is_their_mean(sets: Sets) -> None:
    folder = sets.sweep(RATES, seeds=[4, 5], runs_at_once=2)
    assert len(sets.metrics()) == 6
    for trial in trials_of(sets):
        assert trial.value == pytest.approx(np.mean(trial.of_seeds), rel=1e-12)
        assert len(set(trial.of_seeds)) == 2
    row = next(csv.DictReader((folder / "results.csv").open()))
    assert row["learning_rate"] == "0.001"
    assert float(row["s"]) > 0
    assert len(row["runs"].split()) == 2


@linux
@pytest.mark.parametrize("at", [3, 9, 15])
def test_a_killed_sweep_goes_on_with_the_trial_that_was_under_way(sets, forked, tmp_path, monkeypatch, at) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.03")
    parent = forked(lambda: sets.sweep(RATES))
    wait_for_steps(tmp_path / "steps", at)
    os.kill(parent, signal.SIGKILL)
    end_of(parent)
    sets.sweep(RATES, resume_from="auto")
    assert sets.newest("sweeps").name == "1"
    assert [trial.state for trial in trials_of(sets)] == [State.FINISHED] * 3
    assert sorted(path.name for path in (sets.log_dir / "itm").iterdir()) == ["1", "2", "3"]
    steps = Counter((run, step) for _, _, run, step in lines(tmp_path / "steps"))
    assert {run for run, _ in steps} == {"1", "2", "3"}
    assert sum(steps.values()) <= 3 * STEPS + 1, "only the run under way lost a step, if any"


@linux
def test_a_stopped_sweep_has_a_table_and_says_how_to_go_on(sets, forked, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    said = tmp_path / "said"

    def work() -> None:
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 1)
        sys.stdout = os.fdopen(1, "w")
        try:
            sets.sweep(RATES)
        finally:
            sys.stdout.flush()

    parent = forked(work)
    wait_for_steps(tmp_path / "steps", STEPS + 2)
    os.kill(parent, signal.SIGTERM)
    end_of(parent)
    folder = sets.newest("sweeps")
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert [row["state"] for row in rows] == ["finished", "running"]
    assert f"sweep: {folder}\nThe same command with resume_from=auto" in said.read_text()


def test_a_failed_trial_leaves_the_others_and_is_told(sets: Sets, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_FAIL", "learning_rate=0.0001")
    monkeypatch.setenv("FAKE_STATUS", "2")
    with pytest.raises(RunError, match=r"1 of 3 trials failed:\n  \* trial 0: this run was told to fail"):
        sets.sweep(RATES)
    rows = list(csv.DictReader((sets.newest("sweeps") / "results.csv").open()))
    assert [row["state"] for row in rows] == ["finished", "finished", "failed"]
    monkeypatch.delenv("FAKE_FAIL")
    sets.sweep(RATES, resume_from="auto")
    assert [trial.state for trial in trials_of(sets)] == [State.FINISHED] * 3


def test_a_trial_whose_validations_are_no_numbers_has_failed(sets: Sets, tmp_path, monkeypatch) -> None:
    """To Optuna too; and what is read back is what was written, which JSON has no infinity for."""
    monkeypatch.setenv("FAKE_NAN", "learning_rate=0.0001")
    told = r"1 of 3 trials failed:\n  \* trial 0: its itm/val/accuracy is not finite"
    for going_on in ({}, {"resume_from": "auto"}):
        with pytest.raises(RunError, match=told):
            sets.sweep(RATES, sweep_pruning="median", **going_on)
        assert [trial.state for trial in trials_of(sets)] == [State.FAILED, State.FINISHED, State.FINISHED]
        assert all(math.isfinite(trial.value) for trial in trials_of(sets)[1:] if trial.value is not None)
    assert len(list((sets.log_dir / "sweeps").iterdir())) == 1
    settings = sets.settings("sweep", sweep=RATES, sweep_pruning="median")
    study = Study(settings, ACCURACY, sets.newest("sweeps") / "optuna.journal", [], [])._study
    assert [trial.state.name for trial in study.trials] == ["FAIL", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize(
    ("space", "given", "expected"),
    [
        ({"learning_rat": [1]}, {}, "learning_rat: there is no such setting; did you mean learning_rate?"),
        ({"seed": [1, 2]}, {}, "by seeds="),
        ({"log_dir": ["a"]}, {}, "log_dir: says what the command does"),
        ({"query": ["a"]}, {}, "query: only search reads it"),
        ({"monitor": ["itm/val/loss"]}, {}, "monitor: has to be the same for all trials"),
        ({"loss_names": [{"mlm": 1}, {"mlm": 2}]}, {}, "loss_names: trials of other losses are compared"),
        ({"learning_rate": []}, {}, "learning_rate must have a list of different values"),
        ({"learning_rate": [1e-3, 1e-3]}, {}, "learning_rate must have a list of different values"),
        ({"learning_rate": 3}, {}, "learning_rate must have a list of values, or a range"),
        ({"learning_rate": {"low": 1, "hi": 2}}, {}, "a range has low, high and log, not 'hi'"),
        ({"learning_rate": {"low": 0.0, "high": 1, "log": True}}, {}, "low must be above 0 where log is true"),
        ({"learning_rate": {"low": 1e-5, "high": 1e-3}}, {}, "is a range, which has no combinations"),
        ({"learning_rate": [1e-3, -1.0, "x"]}, {}, "2 faults:\n  \\* learning_rate=-1.0: must be .* \\(trial 1\\)"),
        ({"num_cross_layer_heads": [3, 4]}, {}, "not divisible by num_cross_layer_heads=3.*\\(trial 0\\)"),
        ({"learning_rate": {"low": -1.0, "high": 1.0}}, {"sweep_search": "random"}, "say how many trials"),
        (
            {"learning_rate": {"low": -1.0, "high": 1.0}},
            {"sweep_search": "random", "sweep_trials": 9},
            "faults:\n  \\* learning_rate=-0",
        ),
        (
            {"learning_rate": {"low": 1e-3, "high": 1e-2}, "mlp_ratio": [2, -2]},
            {"sweep_search": "bayesian", "sweep_trials": 9},
            "mlp_ratio=-2: must be",
        ),
        (RATES, {"sweep_trials": 3}, "a grid has as many trials as combinations"),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_folder(sets: Sets, space, given, expected) -> None:
    with pytest.raises(UserError, match=expected):
        sets.sweep(space, **given)
    assert not sets.log_dir.exists()


def test_random_values_lie_in_their_ranges_and_follow_from_seed_and_number_alone() -> None:
    space = read_space(
        {
            "a": {"low": 1, "high": 4},
            "b": {"low": 1e-5, "high": 1e-1, "log": True},
            "c": [True, None],
            "d": {"low": 0.0, "high": 2},
        }
    )
    values = [drawn(space, 7, number) for number in range(2000)]
    assert values[5] == drawn(space, 7, 5)
    assert values[5] != drawn(space, 8, 5)
    whole = Counter(one["a"] for one in values)
    assert set(whole) == {1, 2, 3, 4}
    assert min(whole.values()) > 420
    powers = Counter(math.floor(math.log10(one["b"])) for one in values)
    assert set(powers) == {-5, -4, -3, -2}
    assert min(powers.values()) > 420, "equal ratios are equally likely"
    assert Counter(one["c"] for one in values)[None] > 900
    assert all(isinstance(one["d"], float) and 0 <= one["d"] <= 2 for one in values)


def test_combinations_are_all_and_the_last_setting_changes_fastest() -> None:
    space = {"a": Choices((1, 2)), "b": Choices(("x", "y", "z"))}
    assert [tuple(one.values()) for one in combinations(space)] == [
        (1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")
    ]  # fmt: skip


def finished(number: int, value: float, **values: object) -> Trial:
    return Trial(number, dict(values), State.FINISHED, value, [value])


def test_main_effects_tell_true_from_1_and_cut_ranges_in_thirds() -> None:
    trials = [finished(0, 1.0, a=True, r=0.0), finished(1, 2.0, a=1, r=1.4), finished(2, 4.0, a=True, r=3.0)]
    space: Space = {"a": Choices((True, 1)), "r": Range(0.0, 3.0, False)}
    rows = main_effects(trials, space)
    assert [row[:3] for row in rows] == [
        ("a", "True", 2.5), ("a", 1, 2.0), ("r", "0 to 1", 1.0), ("r", "1 to 2", 2.0), ("r", "2 to 3", 4.0)
    ]  # fmt: skip


def test_less_is_better_ranks_the_other_way_round() -> None:
    trials = [finished(0, 2.0), finished(1, 1.0), Trial(2, {}, State.PRUNED)]
    assert [trial.number for trial in results.rank(trials, LOSS)] == [1, 0, 2]
    assert [trial.number for trial in results.rank(trials, ACCURACY)] == [0, 1, 2]


def test_the_picture_takes_lists_ranges_and_equal_results(tmp_path: Path) -> None:
    space: Space = {"a": Choices((None, [0.9, 0.98], "x")), "r": Range(1e-5, 1e-2, True), "w": Range(1, 3, False)}
    values: list[dict[str, Any]] = [{"a": [0.9, 0.98], "r": 1e-4, "w": 2}, {"a": None, "r": 1e-5, "w": 3}]
    for results_of in ([1.0, 0.5], [1.0, 1.0]):
        trials = [finished(n, value, **of) for n, (value, of) in enumerate(zip(results_of, values, strict=True))]
        path = draw_parallel(trials, space, ACCURACY, tmp_path / "p.png")
        assert path.read_bytes().startswith(b"\x89PNG")


def test_equal_trials_have_one_rank_and_the_picture_says_how_many_share_the_first(tmp_path: Path, monkeypatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr("matplotlib.figure.Figure.suptitle", lambda figure, text: titles.append(text))
    space: Space = {"a": Choices((0, 1, 2, 3))}
    trials = [finished(n, value, a=n) for n, value in enumerate([0.9, 0.9, 0.7, 0.5])]
    _, rows = results.ranking(RunSet(tmp_path, {}, [], trials=trials), trials, space, ACCURACY)
    assert [row[0] for row in rows] == [1, 1, 3, 4]
    draw_parallel(trials, space, ACCURACY, tmp_path / "p.png")
    draw_parallel(trials[1:], space, ACCURACY, tmp_path / "p.png")
    assert titles == [
        "4 trials; thick: the best, trial 0, the first of 2 equal", "3 trials; thick: the best, trial 1"
    ]  # fmt: skip


BAYESIAN = {"sweep_search": "bayesian", "sweep_trials": 3}
SPACE = {"learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}, "adam_betas": [[0.9, 0.98], [0.9, 0.999]]}


@linux
def test_optuna_takes_up_the_trial_that_a_killed_sweep_left(sets, forked, tmp_path, monkeypatch) -> None:
    """The resumed sweep tries what an uninterrupted one tries, and Optuna has each of its trials once."""
    monkeypatch.setenv("FAKE_PAUSE", "0.03")
    parent = forked(lambda: sets.sweep(SPACE, **BAYESIAN))
    wait_for_steps(tmp_path / "steps", 8)
    os.kill(parent, signal.SIGKILL)
    end_of(parent)
    journal = sets.newest("sweeps") / "optuna.journal"
    with journal.open("a") as file:
        file.write('{"op_code": 4, "half a li')  # killed in the middle of a write
    sets.sweep(SPACE, **BAYESIAN, resume_from="auto")
    tried = trials_of(sets)
    assert [trial.state for trial in tried] == [State.FINISHED] * 3
    study = Study(sets.settings("sweep", sweep=SPACE, **BAYESIAN), ACCURACY, journal, None, [])._study
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert [trial.value for trial in study.trials] == [trial.value for trial in tried]
    monkeypatch.setenv("FAKE_PAUSE", "0")
    sets.sweep(SPACE, **BAYESIAN)
    assert [trial.values for trial in trials_of(sets)] == [trial.values for trial in tried]


def test_optuna_looks_where_it_was_best(sets: Sets, tmp_path: Path) -> None:
    """No run: 40 trials of a parabola, in which random search has a tenth of its draws within the same distance."""
    settings = sets.settings("sweep", sweep={"learning_rate": {"low": 0.0, "high": 1.0}}, sweep_search="bayesian",
                             sweep_trials=40)  # fmt: skip
    study = Study(settings, LOSS, tmp_path / "journal", None, [])
    found = []
    for number in range(40):
        values = study.values(number)
        found.append(values["learning_rate"])
        study.ended(finished(number, (found[-1] - 0.3) ** 2, **values))
    assert sum(abs(value - 0.3) < 0.05 for value in found[20:]) > 5


def test_hopeless_trials_are_given_up_with_their_state_saved(sets: Sets, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.1")
    rates = [1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3, 1e-5]  # the median pruner lets five trials pass
    folder = sets.sweep({"learning_rate": rates}, sweep_pruning="median", seeds=[0, 1], runs_at_once=2)
    states = [trial.state for trial in trials_of(sets)]
    assert states == [State.FINISHED] * 5 + [State.PRUNED]
    runs = [run for run in sets.record("sweeps")["runs"] if run["trial"] == 5]
    assert runs[0]["state"] == "pruned"
    checkpoint = Path(runs[0]["folder"]) / "checkpoints" / "last.ckpt"
    assert checkpoint.is_file()
    assert "state saved" in (folder / "output" / "trial_5_seed_0.txt").read_text()
    rows = list(csv.DictReader((folder / "results.csv").open()))
    assert (rows[-1]["state"], rows[-1]["rank"]) == ("pruned", "")
    assert sets.record("sweeps")["status"] == "finished", "a pruned trial is no failure"


def test_importances_find_the_setting_that_matters() -> None:
    space = {"a": Range(0.0, 1.0, False), "b": Range(0.0, 1.0, False)}
    trials = [finished(n, drawn(space, 0, n)["a"], **drawn(space, 0, n)) for n in range(30)]
    assert importances(space, trials, True)["a"] > 0.9


def test_a_set_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    RunSet(tmp_path, {"a": 1}, ["run.py"]).save()
    assert read_set(tmp_path) == RunSet(tmp_path, {"a": 1}, ["run.py"])
    for content in ("", "{", "[]", '{"runs": 3}', "[" * 100_000):
        (tmp_path / "set.json").write_text(content)
        assert read_set(tmp_path) is None


# What a set never writes: of its only run, or its only trial.
HOSTILE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a setting that is not swept": ({"settings": {"learning_rate": 1e-3, "seed": 1, "plugins": ["/evil.py"]}}, {}),
    "a value that is not swept": ({}, {"values": {"learning_rate": 7.0, "patch_size": 16}}),
    "a value beyond the range": ({}, {"values": {"learning_rate": 1e-3, "patch_size": 64}}),
    "a text in a range": ({}, {"values": {"learning_rate": 1e-3, "patch_size": "16"}}),
    "a value that is missing": ({}, {"values": {}}),
    "other values than the trial": ({"settings": {"learning_rate": 1e-2, "patch_size": 16, "seed": 1}}, {}),
    "a text as a seed": ({"settings": {"learning_rate": 1e-3, "patch_size": 16, "seed": "1"}}, {}),
    "no trial": ({"trial": 1}, {}),
    "a trial from the end": ({"trial": -1, "name": "trial -1, seed 1"}, {}),
    "a name that is a path": ({"name": "../../../x"}, {}),
    "a folder elsewhere": ({"folder": "/somewhere/1"}, {}),
    "the folder of all runs": ({"folder": "."}, {}),
    "a folder that leads out": ({"folder": "itm/../../itm/1"}, {}),
    "a job with a flag": ({"job": "--all"}, {}),
    "a text as a result": ({}, {"value": "0.5"}),
    "no result": ({}, {"value": None}),
    "a result that is no number": ({}, {"of_seeds": [math.nan]}),
    "another number": ({}, {"number": 3}),
}


@pytest.mark.parametrize("what", [None, *HOSTILE])
def test_a_record_that_no_set_of_these_settings_writes_is_none(tmp_path: Path, what: str | None) -> None:
    log_dir = tmp_path / "result"
    values = {"learning_rate": 1e-3, "patch_size": 16}
    run = {"name": "trial 0, seed 1", "settings": {**values, "seed": 1}, "trial": 0, "state": "finished",
           "folder": str(log_dir / "itm" / "1"), "job": "12_0", "problem": ""}  # fmt: skip
    trial = {"number": 0, "values": values, "state": "finished", "value": 0.5, "of_seeds": [0.5], "problem": ""}
    of_run, of_trial = HOSTILE[what] if what else ({}, {})
    if "folder" in of_run:
        of_run = {"folder": str(log_dir / of_run["folder"])}
    identity = {"exp_name": "itm", "sweep": {"learning_rate": [1e-3, 1e-2], "patch_size": {"low": 8, "high": 32}}}
    content = {"settings": identity, "command": ["run.py"], "status": "failed"}
    path = log_dir / "sweeps" / "1"
    path.mkdir(parents=True)
    (path / "set.json").write_text(json.dumps({**content, "runs": [run | of_run], "trials": [trial | of_trial]}))
    assert (read_set(path) is None) == (what is not None)
