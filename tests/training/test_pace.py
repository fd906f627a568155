"""`pace.csv`: examples, time, learning rate, gradient norm and speed at each point of a training's curves."""

from __future__ import annotations

import math

import pytest
import torch

from renaissance.checkpoints.checkpoint import Spent
from renaissance.errors import Interrupted
from renaissance.tracking.metrics import read_points
from renaissance.tracking.pace import HEADER, Pace, along, first_interval, read_pace
from renaissance.tracking.trackers.pace_file import PaceFile
from renaissance.training.callbacks import progress
from renaissance.training.callbacks.progress import Throughput
from renaissance.training.gradient_norm import GradientNorm
from renaissance.training.module import TrainingModule
from renaissance.training.plan import Plan
from tests.tracking.started import run_start
from tests.training.interrupting import stop_at

SETTINGS = {"max_steps": 5, "batch_size": 32, "per_gpu_batchsize": 16, "warmup_steps": 2, "log_interval": 2,
            "val_check_interval": 3, "lr_mult_head": 7}  # fmt: skip


@pytest.fixture
def seen(monkeypatch):
    """What the steps of a run are seen to do: of each its gradient's norm and its rates by part; the examples."""
    steps, examples = [], []
    before_step, training_step = TrainingModule.on_before_optimizer_step, TrainingModule.training_step

    def look(self, optimizer):
        gradients = [one.grad.double().flatten() for one in self.parameters() if one.grad is not None]
        rates = {group["part"]: group["lr"] for group in optimizer.param_groups}
        steps.append((float(torch.cat(gradients).norm()), rates))
        before_step(self, optimizer)

    def count(self, batch, batch_idx):
        examples.append(batch.examples)
        return training_step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "on_before_optimizer_step", look)
    monkeypatch.setattr(TrainingModule, "training_step", count)
    return steps, examples


@pytest.mark.parametrize("settings", [{"gradient_clip_val": 0.01}, {"optim_type": "muon", "gradient_clip_val": None}])
def test_a_row_is_what_the_step_did(run, seen, settings):
    folder, _ = run("task_itm", "scenes", "tiny", **SETTINGS, **settings)
    steps, examples = seen
    rows = read_pace(folder.pace)
    assert [(row.step, row.epoch) for row in rows] == [
        point[:2] for point in read_points(folder.metrics)["itm/train/loss"]
    ]
    assert [row.step for row in rows] == [2, 4, 5]
    for row in rows:
        norm, rates = steps[row.step - 1]
        assert row.gradient_norm == pytest.approx(norm, rel=1e-5)
        assert norm > 0.01  # so clipping is seen to come later
        assert row.learning_rate == pytest.approx(rates["text_encoder"], rel=1e-12) == rates["itm_head"] / 7
        assert row.examples == sum(examples[: 2 * row.step])
    assert rows[0].learning_rate == 0.5 * run.settings("task_itm", "scenes", "tiny").learning_rate  # in warm-up
    assert 0 < rows[0].seconds < rows[1].seconds < rows[2].seconds
    assert all(row.examples_per_second > 0 for row in rows)


def test_speed_is_told_since_the_row_before_and_without_validation(monkeypatch):
    times = iter([100.0, 104.0, 108.0, 999.0, 1001.0, 1003.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(times))
    plan = Plan(device_batch=16, accumulate=1, world_size=2, epoch_batches=9, total_steps=9, validate_every=9,
                warmup_steps=0, schedule_steps=9)  # fmt: skip
    throughput = Throughput(plan, started=0.0, before=Spent(training_seconds=500.0, batches=7))
    throughput.on_train_batch_end(*[None] * 5)
    assert throughput.since_last_asked() is None  # a first batch is not timed
    throughput.on_train_batch_end(*[None] * 5)
    throughput.on_train_batch_end(*[None] * 5)
    assert throughput.since_last_asked() == 8  # two batches of 2 × 16 in 8 s
    throughput.on_validation_end(None, None)
    throughput.on_train_batch_end(*[None] * 5)
    throughput.on_train_batch_end(*[None] * 5)
    assert throughput.since_last_asked() == 16


def test_a_resumed_run_goes_on_in_its_file(run):
    settings = {**SETTINGS, "log_interval": 1}
    with pytest.raises(Interrupted):
        run("task_itm", "scenes", "tiny", **settings, log_scalar=stop_at(3, "itm/train/loss"))
    before = read_pace(run.folder("itm").pace)
    folder, _ = run("task_itm", "scenes", "tiny", **settings, resume_from="auto")
    rows = read_pace(folder.pace)
    assert rows[:3] == before
    assert [row.step for row in rows] == [1, 2, 3, 4, 5]
    assert [row.examples for row in rows] == [32, 64, 96, 128, 160]
    seconds = [row.seconds for row in rows]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_what_came_behind_the_checkpoint_is_cut_off(tmp_path):
    def row(step):
        return Pace(step, step / 10, 32 * step, 1.5 * step, 1e-3, None, None)

    for start, steps in ((run_start(tmp_path, total_steps=9), (1, 2, 3)),
                         (run_start(tmp_path, total_steps=9, resumed_step=2), (3, 4))):  # fmt: skip
        tracker = PaceFile()
        tracker.start(start)
        for step in steps:
            tracker.pace(row(step))
        with (tmp_path / "pace.csv").open("a") as file:
            file.write("5,0.5,160")  # a row that a kill cut off
    assert read_pace(tmp_path / "pace.csv") == [row(step) for step in (1, 2, 3, 4)]


def test_a_run_that_trains_nothing_has_no_pace(tmp_path):
    PaceFile().start(run_start(tmp_path))
    assert not (tmp_path / "pace.csv").exists()
    assert read_pace(tmp_path / "pace.csv") == []


def test_a_step_without_gradient_has_no_norm():
    weight = torch.nn.Parameter(torch.ones(3))
    norm = GradientNorm()
    for act in (lambda: norm.clip([weight], 1.0), lambda: norm.look([weight])):
        act()
        assert norm.value is None
    weight.grad = torch.tensor([3.0, 0.0, 4.0])
    norm.clip([weight], 1.0)
    assert norm.value == 5
    assert torch.allclose(weight.grad, torch.tensor([0.6, 0.0, 0.8]), atol=1e-5)
    norm.look([weight])
    assert norm.value == pytest.approx(1, abs=1e-5)


def test_steps_are_found_on_other_axes():
    rows = [Pace(10, 0.5, 320, 3600, 1e-3, 1.0, None), Pace(20, 1.0, 640, 10_800, 1e-3, 1.0, None)]
    steps = [0, 5, 10, 15, 20, 25]
    assert along(rows, steps, "step").tolist() == steps
    assert along(rows, steps, "examples").tolist() == [0, 160, 320, 480, 640, 800]
    assert along(rows, steps, "epoch").tolist() == [0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert along(rows, steps, "hours").tolist() == [0, 0.5, 1, 2, 3, 3]
    going_on = along(rows, [0, 5, 6, 8, 10, 20], "hours", 4).tolist()
    assert all(map(math.isnan, going_on[:2]))  # these steps were taken in another folder
    assert going_on[2:] == [0, 0.5, 1, 3]
    assert all(map(math.isnan, along([], [1], "examples")))


def test_hours_begin_at_step_0_unless_the_run_goes_on_from_another_folder():
    assert first_interval({"resume_from": None, "log_interval": 4}) is None
    assert first_interval({"resume_from": "auto", "log_interval": 4}) is None
    assert first_interval({"resume_from": "result/itm/1/checkpoints/last.ckpt", "log_interval": 4}) == 4
    assert first_interval({}) is None


def test_the_columns_are_those_that_are_promised():
    assert Pace._fields == HEADER
