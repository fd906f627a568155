"""Our learning-rate factors against transformers' schedules, step by step."""

from __future__ import annotations

import pytest
import torch
from transformers import get_cosine_schedule_with_warmup, get_polynomial_decay_schedule_with_warmup

from renaissance.training.schedule import LearningRateFactor


def reference(make_schedule):
    """The learning rates of 120 steps under a transformers schedule."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = make_schedule(optimizer)
    rates = []
    for _ in range(120):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize("power", [1, 2, 0.5])
@pytest.mark.parametrize("end", [0.0, 0.05])
def test_polynomial_decay(power, end):
    expected = reference(
        lambda optimizer: get_polynomial_decay_schedule_with_warmup(optimizer, 10, 100, lr_end=end, power=power)
    )
    factor = LearningRateFactor(10, 100, power, end / 0.5)
    assert [0.5 * factor(step) for step in range(120)] == pytest.approx(expected)


def test_cosine_decay():
    expected = reference(lambda optimizer: get_cosine_schedule_with_warmup(optimizer, 10, 100))[:101]
    factor = LearningRateFactor(10, 100, "cosine", 0.0)
    assert [0.5 * factor(step) for step in range(101)] == pytest.approx(expected)


def test_cosine_ends_at_end_lr():
    factor = LearningRateFactor(0, 100, "cosine", 0.2)
    assert factor(0) == 1.0
    assert factor(50) == pytest.approx(0.6)
    assert factor(100) == factor(500) == 0.2
