"""The arithmetic of a run: accumulation, length, validation and warm-up in whole numbers."""

from __future__ import annotations

import pytest

from renaissance.errors import UserError
from renaissance.training.plan import TrainingData, make_plan


def test_accumulation_follows_the_documented_formula(make_settings):
    settings = make_settings(batch_size=176, per_gpu_batchsize=44, warmup_steps=0.1, loss_names={"mlm": 1})
    # max(1, batch_size // (per_gpu_batchsize × devices)): 176 // (44 × 2) = 2
    plan, remarks = make_plan(settings, [TrainingData(10_000)], 2)
    assert (plan.accumulate, plan.effective_batch, remarks) == (2, 176, [])


def test_an_inexact_batch_size_is_said_with_the_effective_one(make_settings):
    settings = make_settings(batch_size=176, per_gpu_batchsize=32, loss_names={"mlm": 1})
    plan, remarks = make_plan(settings, [TrainingData(100_000)], 8)
    assert (plan.accumulate, plan.effective_batch) == (1, 256)
    assert "256 examples" in remarks[0]


def test_an_epoch_takes_whole_steps(make_settings):
    settings = make_settings(batch_size=40, per_gpu_batchsize=10, max_epoch=3, warmup_steps=0, loss_names={"mlm": 1})
    plan, remarks = make_plan(settings, [TrainingData(110)], 1)
    assert (plan.accumulate, plan.epoch_batches, plan.validate_every, plan.total_steps) == (4, 8, 2, 6)
    assert (plan.epoch_of(2), remarks) == (1.0, [])


def test_whichever_comes_first_ends_the_training(make_settings):
    settings = make_settings(
        batch_size=20, per_gpu_batchsize=10, max_epoch=3, max_steps=1000, warmup_steps=0, loss_names={"mlm": 1}
    )
    # 100 examples: 10 batches an epoch, 2 a step
    plan, _ = make_plan(settings, [TrainingData(100)], 1)
    assert plan.total_steps == 15
    assert plan.epoch_of(15) == 3.0
    plan, _ = make_plan(settings.model_copy(update={"max_steps": 7}), [TrainingData(100)], 1)
    assert plan.total_steps == 7


@pytest.mark.parametrize(("interval", "steps"), [(1.0, 5), (0.4, 2), (3, 3), (1, 1)])
def test_a_float_is_a_fraction_of_an_epoch_and_an_int_optimiser_steps(make_settings, interval, steps):
    settings = make_settings(batch_size=20, per_gpu_batchsize=10, val_check_interval=interval, loss_names={"mlm": 1})
    assert make_plan(settings, [TrainingData(100)], 1)[0].validate_every == steps


def test_warmup_is_a_fraction_or_steps_and_one_that_never_ends_is_said(make_settings):
    base = {"max_steps": 50, "batch_size": 10, "per_gpu_batchsize": 10, "loss_names": {"mlm": 1}}
    assert make_plan(make_settings(warmup_steps=0.1, **base), [TrainingData(1000)], 1)[0].warmup_steps == 5
    plan, remarks = make_plan(make_settings(warmup_steps=10_000, **base), [TrainingData(1000)], 1)
    assert plan.warmup_steps == 10_000
    assert any("never reached" in remark for remark in remarks)


def test_a_set_smaller_than_a_batch_still_trains(make_settings):
    plan, remarks = make_plan(
        make_settings(batch_size=256, per_gpu_batchsize=64, loss_names={"mlm": 1}), [TrainingData(16)], 1
    )
    assert (plan.device_batch, plan.accumulate, plan.effective_batch) == (16, 1, 16)
    assert "the training set has 16" in remarks[0]


def test_no_examples_are_an_error(make_settings):
    with pytest.raises(UserError, match="too few"):
        make_plan(make_settings(loss_names={"mlm": 1}), [TrainingData(0)], 1)
