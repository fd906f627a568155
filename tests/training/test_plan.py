"""The arithmetic of a run: accumulation, length, validation and warm-up in whole numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renaissance.errors import UserError
from renaissance.training.plan import AskedLength, TrainingData, make_plan


@pytest.fixture
def asked(make_settings):
    """What settings ask for, which are the defaults where nothing is given."""
    return lambda **given: AskedLength.of_settings(make_settings(**given))


def test_accumulation_follows_the_documented_formula(asked):
    length = asked(batch_size=176, per_gpu_batchsize=44, warmup_steps=0.1)
    # max(1, batch_size // (per_gpu_batchsize × devices)): 176 // (44 × 2) = 2
    plan, remarks = make_plan(length, [TrainingData(10_000)], 2)
    assert (plan.accumulate, plan.effective_batch, remarks) == (2, 176, [])


def test_an_inexact_batch_size_is_said_with_the_effective_one(asked):
    length = asked(batch_size=176, per_gpu_batchsize=32)
    plan, remarks = make_plan(length, [TrainingData(100_000)], 8)
    assert (plan.accumulate, plan.effective_batch) == (1, 256)
    assert "256 examples" in remarks[0]


def test_an_epoch_takes_whole_steps(asked):
    length = asked(batch_size=40, per_gpu_batchsize=10, max_epoch=3, warmup_steps=0)
    plan, remarks = make_plan(length, [TrainingData(110)], 1)
    assert (plan.accumulate, plan.epoch_batches, plan.validate_every, plan.total_steps) == (4, 8, 2, 6)
    assert (plan.epoch_of(2), remarks) == (1.0, [])


def test_whichever_comes_first_ends_the_training(asked):
    length = asked(batch_size=20, per_gpu_batchsize=10, max_epoch=3, max_steps=1000, warmup_steps=0)
    # 100 examples: 10 batches an epoch, 2 a step
    plan, _ = make_plan(length, [TrainingData(100)], 1)
    assert plan.total_steps == 15
    assert plan.epoch_of(15) == 3.0
    plan, _ = make_plan(replace(length, max_steps=7), [TrainingData(100)], 1)
    assert plan.total_steps == 7


@pytest.mark.parametrize(("interval", "steps"), [(1.0, 5), (0.4, 2), (3, 3), (1, 1)])
def test_a_float_is_a_fraction_of_an_epoch_and_an_int_optimiser_steps(asked, interval, steps):
    length = asked(batch_size=20, per_gpu_batchsize=10, val_check_interval=interval)
    assert make_plan(length, [TrainingData(100)], 1)[0].validate_every == steps


def test_warmup_is_a_fraction_or_steps_and_one_that_never_ends_is_said(asked):
    base = {"max_steps": 50, "batch_size": 10, "per_gpu_batchsize": 10}
    assert make_plan(asked(warmup_steps=0.1, **base), [TrainingData(1000)], 1)[0].warmup_steps == 5
    plan, remarks = make_plan(asked(warmup_steps=10_000, **base), [TrainingData(1000)], 1)
    assert plan.warmup_steps == 10_000
    assert any("never reached" in remark for remark in remarks)


def test_a_set_smaller_than_a_batch_still_trains(asked):
    plan, remarks = make_plan(asked(batch_size=256, per_gpu_batchsize=64), [TrainingData(16)], 1)
    assert (plan.device_batch, plan.accumulate, plan.effective_batch) == (16, 1, 16)
    assert "the training set has 16" in remarks[0]


def test_no_examples_are_an_error(asked):
    with pytest.raises(UserError, match="too few"):
        make_plan(asked(), [TrainingData(0)], 1)
