"""A loss that is not finite ends the run and says where, or costs it single steps; no such weights are ever kept."""

from __future__ import annotations

import json

import pytest
import torch

from renaissance.errors import RunError
from renaissance.tasks.behaviours.masked_language_modelling import MaskedLanguageModellingTask
from renaissance.training.module import TrainingModule
from tests.training.interrupting import run_whole_and_broken, stop_at

SETTINGS = {"max_steps": 6, "val_check_interval": 2, "warmup_steps": 0, "learning_rate": 1e-3, "num_scenes": 60,
            "log_interval": 1}  # fmt: skip
NAMED = ("task_mlm_itm", "scenes", "tiny")


def spoil(monkeypatch, batches, value=float("nan")):
    """Make the loss of mlm `value` in training batches, counted from 1 over the whole training."""
    training_step, forward = TrainingModule.training_step, MaskedLanguageModellingTask.forward
    now = {"spoilt": False}

    def noting(module, batch, batch_idx):
        now["spoilt"] = module.batch_number + 1 in batches
        loss = training_step(module, batch, batch_idx)
        now["spoilt"] = False
        return loss

    def spoiling(task, step):
        outcome = forward(task, step)
        spoilt = {**outcome.values, "loss": outcome.values["loss"] * value}
        return type(outcome)(spoilt) if now["spoilt"] else outcome

    monkeypatch.setattr(TrainingModule, "training_step", noting)
    monkeypatch.setattr(MaskedLanguageModellingTask, "forward", spoiling)


def finite(path):
    return all(tensor.isfinite().all() for tensor in torch.load(path, weights_only=True)["state_dict"].values())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_named_and_the_last_good_checkpoint_kept(run, monkeypatch, value):
    spoil(monkeypatch, [4], value)
    with pytest.raises(RunError) as stopped:
        run(*NAMED, **SETTINGS)
    said = str(stopped.value)
    assert f"mlm: the loss is {value} at step 4, in batch 4 (training examples " in said
    assert "last.ckpt" in said
    folder = run.folder("mlm_itm")
    assert torch.load(folder.last_checkpoint, weights_only=True)["global_step"] == 2
    assert finite(folder.last_checkpoint)
    assert not folder.finished


def test_weights_that_are_not_finite_are_neither_validated_nor_written(run, monkeypatch):
    """An infinite gradient of a finite loss, just before a validation: no loss tells of it."""

    def overflow(module, optimizer):
        if module.steps_done + 1 == 4:
            next(module.parameters()).grad.fill_(float("inf"))

    monkeypatch.setattr(TrainingModule, "on_before_optimizer_step", overflow)
    with pytest.raises(RunError, match="is not finite after step 4: a gradient was infinite or not a number"):
        run(*NAMED, **SETTINGS)
    folder = run.folder("mlm_itm")
    assert torch.load(folder.last_checkpoint, weights_only=True)["global_step"] == 2
    assert not any(row.startswith("4,") and "/val/" in row for row in folder.metrics.read_text().splitlines())


def test_steps_are_left_out_as_far_as_the_setting_goes(run, monkeypatch, capsys):
    spoil(monkeypatch, [3, 4])
    folder, _ = run(*NAMED, **SETTINGS, max_skipped_steps=2)
    assert "step 3 is left out, 1 of at most 2: mlm: the loss is nan" in capsys.readouterr().out
    assert json.loads(folder.summary.read_text())["skipped_steps"] == 2
    assert "nan" not in folder.metrics.read_text()
    assert finite(folder.last_checkpoint)
    states = torch.load(folder.last_checkpoint, weights_only=True)["optimizer_states"][0]["state"]
    assert {int(state["step"]) for state in states.values()} == {4}, "the optimiser took four of six steps"
    with pytest.raises(RunError, match="max_skipped_steps=1 were left out before"):
        run(*NAMED, **SETTINGS, max_skipped_steps=1, exp_name="more")


@pytest.mark.parametrize("batch", [5, 6], ids=["first half", "second half"])
def test_under_accumulation_the_whole_step_is_left_out_and_resuming_is_exact(run, monkeypatch, batch):
    spoil(monkeypatch, [batch])
    settings = {**SETTINGS, "batch_size": 16, "per_gpu_batchsize": 8, "max_steps": 5, "max_skipped_steps": 1}
    whole, broken = run_whole_and_broken(run, *NAMED, stop=stop_at(4, "itm/train/loss"), **settings)
    weights = [torch.load(folder.last_checkpoint, weights_only=True) for folder in (whole, broken)]
    assert whole.metrics.read_text() == broken.metrics.read_text()
    assert all(torch.equal(tensor, weights[1]["state_dict"][name]) for name, tensor in weights[0]["state_dict"].items())
    assert [saved["skipped_steps"] for saved in weights] == [1, 1]


def spoil_evaluation(monkeypatch, metric, from_call=1):
    """Make a value of mlm no number in evaluations, from the batch of that number on."""
    forward, calls = MaskedLanguageModellingTask.forward, []

    def strange(task, step):
        outcome = forward(task, step)
        if task.training:
            return outcome
        calls.append(step)
        spoilt = {**outcome.values, metric: outcome.values[metric] * torch.nan}
        return type(outcome)(spoilt) if len(calls) >= from_call else outcome

    monkeypatch.setattr(MaskedLanguageModellingTask, "forward", strange)


def test_a_validation_loss_that_is_no_number_ends_the_run_before_its_weights_are_kept(run, monkeypatch):
    """Weights can be ruined and finite."""
    spoil_evaluation(monkeypatch, "loss", from_call=2)
    with pytest.raises(RunError, match="mlm/val/loss is not finite at step 4"):
        run("task_mlm", "scenes", "tiny", **SETTINGS)
    assert torch.load(run.folder("mlm").last_checkpoint, weights_only=True)["global_step"] == 2


def test_a_metric_that_is_no_number_is_null_in_the_summary(run, monkeypatch, capsys):
    spoil_evaluation(monkeypatch, "accuracy")
    folder, _ = run("task_mlm", "scenes", "tiny", **{**SETTINGS, "max_steps": 2, "monitor": "mlm/val/loss"})
    assert "not finite at step 2: mlm/val/accuracy" in capsys.readouterr().err

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    summary = json.loads(folder.summary.read_text(), parse_constant=refuse)
    assert summary["final"]["mlm/val/accuracy"] is None
