"""What the best validation is told by: the default for the tasks, or the metric that the user names."""

from __future__ import annotations

import json
import math
from collections import defaultdict

import pytest
import torch

from config import ex
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.errors import UserError
from renaissance.settings import check_settings
from renaissance.tasks.registry import declaration_of, task_names
from renaissance.tracking.metrics import read_rows
from renaissance.training.monitoring import Monitor

QUICK = {"max_steps": 6, "warmup_steps": 0, "val_check_interval": 2, "log_interval": 2}
CHANCE = {"itm/val/accuracy": 0.536, "itm/val/loss": 0.693, "mlm/val/accuracy": 0.30, "mlm/val/loss": 3.1}
LATER = {"itm/val/accuracy": 0.464, "itm/val/loss": 0.694, "mlm/val/accuracy": 0.36, "mlm/val/loss": 2.6}


def monitor_of(make_settings, **overrides):
    settings = make_settings(**overrides)
    return Monitor.of_settings(settings)


def test_of_several_tasks_chance_does_not_outweigh_what_is_learnt(make_settings):
    both = monitor_of(make_settings, loss_names={"mlm": 1, "itm": 1})
    assert sum(CHANCE[f"{task}/val/accuracy"] for task in ("itm", "mlm")) > sum(
        LATER[f"{task}/val/accuracy"] for task in ("itm", "mlm")
    )
    assert both.score(LATER) > both.score(CHANCE)
    weighted = monitor_of(make_settings, loss_names={"mlm": 0.5, "itm": 1})
    assert weighted.score(LATER) == pytest.approx(-0.694 - 0.5 * 2.6)
    assert weighted.name == "itm/val/loss + 0.5 × mlm/val/loss"


@pytest.mark.parametrize(("task", "expected"), [("imdb", "imdb/val/accuracy"), ("caption", "caption/val/loss")])
def test_one_task_is_judged_by_its_own_metric(make_settings, task, expected):
    assert monitor_of(make_settings, loss_names={task: 1}).name == expected


def test_a_chosen_metric_has_its_direction_and_must_be_there(make_settings):
    loss = monitor_of(make_settings, loss_names={"mlm": 1, "itm": 1}, monitor="mlm/val/loss")
    accuracy = monitor_of(make_settings, loss_names={"mlm": 1, "itm": 1}, monitor="itm/val/accuracy")
    assert loss.score(LATER) > loss.score(CHANCE)
    assert accuracy.score(LATER) < accuracy.score(CHANCE)
    assert loss.score({**LATER, "mlm/val/loss": math.nan}) == -math.inf
    with pytest.raises(UserError, match=r"mlm/val/loss.*no such metric"):
        loss.score({"mlm/val/accuracy": 0.5})


@pytest.mark.parametrize(
    ("monitor", "message"),
    [
        ("mlm/val/los", "did you mean mlm/val/loss"),
        ("mlm/test/loss", "is chosen by a metric of the validation"),
        ("caption/val/bleu_4", "the tasks report no such metric"),
    ],
)
def test_a_wrong_metric_is_found_with_the_settings(monitor, message):
    defaults = ex.configurations[0]()
    loss_names = {**defaults["loss_names"], "mlm": 1, "itm": 1}
    with pytest.raises(UserError, match=message):
        check_settings({**defaults, "loss_names": loss_names, "monitor": monitor})


def test_a_metric_of_generated_captions_needs_some():
    defaults = ex.configurations[0]()
    given = {"loss_names": {**defaults["loss_names"], "caption": 1}, "monitor": "caption/val/cider_d"}
    check_settings({**defaults, **given})
    with pytest.raises(UserError, match="caption_metric_images=0 generates none"):
        check_settings({**defaults, **given, "caption_metric_images": 0})


def test_the_best_checkpoint_goes_by_the_metric_and_a_resumed_run_by_the_same(run):
    folder, _ = run("task_mlm_itm", "scenes", "tiny", **QUICK, learning_rate=1e-2, monitor="mlm/val/accuracy")
    points = [(point.value, -point.step) for name, point in read_rows(folder.metrics) if name == "mlm/val/accuracy"]
    summary = json.loads(folder.summary.read_text())
    assert summary["monitor"] == "mlm/val/accuracy"
    assert summary["best_step"] == -max(points)[1] == torch.load(folder.best_checkpoint)["global_step"]
    assert read_checkpoint(folder.last_checkpoint).monitor == "mlm/val/accuracy"
    with pytest.raises(UserError, match="monitor: 'itm/val/loss'"):
        run("task_mlm_itm", "scenes", "tiny", resume_from=str(folder.last_checkpoint), monitor="itm/val/loss")


@pytest.mark.parametrize("name", task_names())
def test_a_run_reports_what_its_task_declares_and_nothing_else(run, name):
    folder, _ = run(
        "scenes", "tiny", loss_names={name: 1}, max_steps=1, warmup_steps=0, val_check_interval=1, log_interval=1,
        batch_size=8, per_gpu_batchsize=8, caption_metric_images=2,
    )  # fmt: skip
    declared = {metric.name for metric in declaration_of(name).metrics}
    reported = defaultdict(set)
    for whole, _ in read_rows(folder.metrics):
        task, split, metric = whole.split("/")
        assert task == name
        reported[split].add(metric)
    assert reported.pop("train") - {"scale"} <= declared  # contrastive's learned scale is a curve, and no quality
    assert set(reported) == {*split_names(name)} - ({"test"} if name == "vqa" else set()), "a server has its answers"
    assert all(metrics == declared for metrics in reported.values())


def split_names(name):
    """The splits of a task's scenes that are evaluated."""
    return {"nlvr2": ("val", "test1"), "ref": ("val", "testA", "testB")}.get(name, ("val", "test"))
