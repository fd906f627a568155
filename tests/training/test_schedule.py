"""Our learning-rate factors against the schedules of transformers and of PyTorch, step by step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingWarmRestarts, LinearLR, SequentialLR, StepLR
from transformers import get_cosine_schedule_with_warmup, get_polynomial_decay_schedule_with_warmup

from renaissance.training.schedules.registry import declared_schedule, schedule_names, unread_by_schedule
from renaissance.training.schedules.schedule import LearningRateFactor
from tests.training.interrupting import run_whole_and_broken, stop_at

REPOSITORY = Path(__file__).resolve().parents[2]
FULL = 0.5
OPTIONS = {"learning_rate": FULL, "end_lr": 0.0, "decay_power": 1, "cosine_cycles": 1, "step_size": 30, "gamma": 0.1}


def reference(make_schedule, steps=120):
    """The learning rates of some steps under a schedule of transformers or PyTorch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=FULL)
    schedule = make_schedule(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def ours(name, warmup=10, total=100, steps=120, **options):
    """The learning rates of some steps of our schedule."""
    factor = LearningRateFactor.of_settings(warmup, total, {**OPTIONS, "schedule": name, **options})
    return [FULL * factor(step) for step in range(steps)]


def after_warmup(make_schedule, warmup=10):
    """PyTorch's schedule behind a linear warm-up, which it cannot begin at exactly 0."""

    def make(optimizer):
        start = LinearLR(optimizer, start_factor=1e-12, total_iters=warmup)
        return SequentialLR(optimizer, [start, make_schedule(optimizer)], milestones=[warmup])

    return make


@pytest.mark.parametrize("power", [1, 2, 0.5])
@pytest.mark.parametrize("end", [0.0, 0.05])
def test_polynomial(power, end):
    expected = reference(
        lambda optimizer: get_polynomial_decay_schedule_with_warmup(optimizer, 10, 100, lr_end=end, power=power)
    )
    assert ours("polynomial", decay_power=power, end_lr=end) == pytest.approx(expected)


def test_cosine_without_restarts():
    expected = reference(lambda optimizer: get_cosine_schedule_with_warmup(optimizer, 10, 100), 100)
    assert ours("cosine", steps=100) == pytest.approx(expected)
    assert ours("cosine", end_lr=0.1)[100:] == [0.1] * 20, "what holds where a run goes on behind its schedule's end"


@pytest.mark.parametrize("end", [0.0, 0.05])
@pytest.mark.parametrize("cycles", [1, 3, 9])
def test_cosine_with_restarts(cycles, end):
    expected = reference(
        after_warmup(lambda optimizer: CosineAnnealingWarmRestarts(optimizer, 90 // cycles, eta_min=end)), 100
    )
    rates = ours("cosine", cosine_cycles=cycles, end_lr=end, steps=100)
    assert rates == pytest.approx(expected, abs=1e-9)
    assert rates.count(FULL) == cycles, "each begins at the full rate"


@pytest.mark.parametrize("gamma", [0.1, 0.7])
@pytest.mark.parametrize("size", [1, 7, 30])
def test_step(size, gamma):
    expected = reference(after_warmup(lambda optimizer: StepLR(optimizer, size, gamma)))
    assert ours("step", step_size=size, gamma=gamma) == pytest.approx(expected, abs=1e-9)


def test_a_step_may_be_a_fraction_of_the_way():
    assert ours("step", step_size=0.5) == ours("step", step_size=45)
    assert ours("step", step_size=0.001, gamma=0.9) == ours("step", step_size=1, gamma=0.9)


def test_none_stays_at_the_full_rate():
    expected = reference(after_warmup(lambda optimizer: ConstantLR(optimizer, factor=1.0)))
    assert ours("none") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", schedule_names())
def test_each_begins_after_the_warm_up_and_needs_none(name, make_settings):
    assert ours(name)[0] == 0
    assert ours(name)[9] < ours(name)[10] == FULL
    assert ours(name, warmup=0)[0] == FULL
    assert ours(name, warmup=100)[99] < FULL, "all of it is warm-up"
    assert declared_schedule(name).reads <= make_settings().model_dump().keys()


def test_a_resumed_run_equals_the_run_through(run):
    settings = {"schedule": "cosine", "cosine_cycles": 2, "end_lr": 1e-4, "max_steps": 6, "warmup_steps": 2,
                "learning_rate": 1e-2, "val_check_interval": 4, "log_interval": 1, "batch_size": 8,
                "per_gpu_batchsize": 8}  # fmt: skip
    stop = stop_at(3, "itm/train/loss")
    whole, broken = run_whole_and_broken(run, "task_itm", "scenes", "tiny", stop=stop, **settings)
    assert whole.metrics.read_text() == broken.metrics.read_text()
    first, second = (torch.load(one.last_checkpoint, weights_only=True)["state_dict"] for one in (whole, broken))
    assert all(torch.equal(first[tensor], second[tensor]) for tensor in first)


def test_settings_that_the_schedule_does_not_read_are_named(run, capsys):
    assert unread_by_schedule("none", ["end_lr", "gamma", "learning_rate"]) == ["end_lr", "gamma"]
    assert unread_by_schedule("cosine", ["end_lr", "decay_power"]) == ["decay_power"]
    run("task_itm", "scenes", "tiny", max_steps=1, warmup_steps=0, schedule="step", end_lr=1e-6)
    assert "warning: end_lr is without effect: schedule=step does not read it" in capsys.readouterr().err


def test_declarations_load_no_torch():
    program = (
        "import sys; from renaissance.training.schedules.registry import schedule_names; schedule_names()\n"
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
