"""Early stopping: at the right validation, and at the same one after an interruption."""

from __future__ import annotations

import csv
import json
import types

import pytest
import torch

from renaissance.errors import Interrupted
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.callbacks.early_stopping import StopEarly
from renaissance.training.module import TrainingModule
from tests.training.interrupting import stop_at

# Nothing is learnt at this rate, so no validation is better than the first.
STUCK = {"max_steps": 20, "warmup_steps": 0, "learning_rate": 1e-12, "log_interval": 2, "val_check_interval": 2,
         "early_stopping_patience": 2, "eval_batch_size": 4}  # fmt: skip


def rows(folder):
    return [tuple(row.values()) for row in csv.DictReader(folder.metrics.open(newline=""))]


def steps(folder):
    return sorted({int(row[0]) for row in rows(folder) if "/val/" in row[2]})


@pytest.mark.parametrize(
    ("scores", "min_delta", "expected"),
    [
        ([0.5, 0.6, 0.6, 0.5], 0.0, [False, False, False, True]),
        ([0.5, 0.4, 0.6, 0.5, 0.7], 0.0, [False] * 5),
        ([0.5, 0.52, 0.54, 0.56], 0.05, [False, False, True, False]),  # measured from 0.5, which 0.56 exceeds
        ([None, None, None], 0.0, [False] * 3),
    ],
)
def test_it_counts_validations_without_improvement(scores, min_delta, expected):
    stopping, trainer = StopEarly(2, min_delta, None), types.SimpleNamespace(should_stop=False)
    module = TrainingModule.__new__(TrainingModule)
    torch.nn.Module.__init__(module)
    found = []
    for step, score in enumerate(scores):
        module.score, module.steps_done = score, step
        stopping.on_validation_end(trainer, module)
        found.append(trainer.should_stop)
    assert found == expected


def test_a_run_that_gets_no_better_stops_and_ends_as_ever(run, capsys):
    folder, final = run("task_itm", "scenes", "tiny", **STUCK)
    assert steps(folder) == [2, 4, 6], "the first is the best there is, then two that are no better"
    summary = json.loads(folder.summary.read_text())
    assert (summary["status"], summary["stopped_early"], summary["steps"]) == ("finished", True, 6)
    assert "stopped early at step 6 of 20" in capsys.readouterr().out
    assert {name.split("/")[1] for name in final} == {"train", "val", "test"}
    assert torch.load(folder.last_checkpoint, weights_only=True)["global_step"] == 6
    tested = [row for row in rows(folder) if "/test/" in row[2]]
    assert {row[0] for row in tested} == {"2"}, "the test is of the best"


def test_a_run_that_is_not_stopped_says_so(run):
    folder, _ = run("task_itm", "scenes", "tiny", **{**STUCK, "max_steps": 4})
    assert json.loads(folder.summary.read_text())["stopped_early"] is False


@pytest.mark.parametrize("step", [2, 4, 6])
@pytest.mark.parametrize("moment", ["before a validation", "after one"])
def test_an_interrupted_run_stops_where_an_uninterrupted_one_does(run, step, moment):
    """The point of the training curve comes just before the validation of that step."""
    whole, _ = run("task_itm", "scenes", "tiny", **STUCK, exp_name="whole")
    name = "itm/train/loss" if moment == "before a validation" else "itm/val/loss"

    try:
        run("task_itm", "scenes", "tiny", **STUCK, exp_name="broken", log_scalar=stop_at(step, name))
        broken = RunFolder(whole.path.parents[1] / "broken" / "1")  # it had nothing left to be interrupted in
    except Interrupted:
        broken, _ = run("task_itm", "scenes", "tiny", **STUCK, exp_name="broken", resume_from="auto")
    assert rows(broken) == rows(whole)
    assert json.loads(broken.summary.read_text())["stopped_early"] is True


def test_a_run_that_has_stopped_goes_on_with_more_patience_only(run, capsys):
    folder, _ = run("task_itm", "scenes", "tiny", **STUCK)
    last = str(folder.last_checkpoint)
    again, _ = run("task_itm", "scenes", "tiny", **STUCK, resume_from=last)
    assert "nothing left to train" in capsys.readouterr().out
    assert again.last_checkpoint.is_file()
    longer, _ = run("task_itm", "scenes", "tiny", **{**STUCK, "early_stopping_patience": 4}, resume_from=last)
    assert steps(longer) == [8, 10]
