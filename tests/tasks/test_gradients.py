"""Every parameter that is trained gets a gradient, and no other one would: for every task and architecture."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from renaissance.tasks.behaviours import joined_sides
from renaissance.tasks.registry import task_names
from tests.tasks.conftest import Asked

ARCHITECTURES = ["two-tower", "one-tower", "late-fusion"]


def without_gradient(asked: Asked) -> set[str]:
    """The parameters, by name, that a training step leaves without a gradient."""
    modules = nn.ModuleDict({"model": asked.model, "task": asked.task}).train()
    asked.task(asked.step()).loss.backward()
    return {name for name, parameter in modules.named_parameters() if parameter.grad is None}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", task_names())
def test_what_is_trained_gets_a_gradient_and_nothing_else_would(
    ask: Callable[..., Asked], name: str, architecture: str
) -> None:
    if (name, architecture) == ("mlm", "late-fusion"):
        pytest.skip("no word sees the image there: this is refused")
    asked = ask(name, training=True, model_type=architecture)
    unreached = without_gradient(asked)
    asked.model.leave_unreached(joined_sides(asked.settings))
    modules = nn.ModuleDict({"model": asked.model, "task": asked.task})
    assert {key for key, parameter in modules.named_parameters() if not parameter.requires_grad} == unreached
    assert bool(unreached) == (name == "mlm")


def test_a_task_beside_that_reaches_more_has_more_trained(ask: Callable[..., Asked]) -> None:
    asked = ask("mlm", training=True, beside={"itm": 1.0})
    asked.model.leave_unreached(joined_sides(asked.settings))
    assert all(parameter.requires_grad for parameter in asked.model.parameters())
