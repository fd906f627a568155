"""Stochastic gradient descent with momentum, in PyTorch's fused form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from renaissance.training.optimizers.interface import OptimizerDeclaration, ParameterGroups, fused

if TYPE_CHECKING:
    from torch.optim import SGD

    from renaissance.settings.schema import UpdateSettings


def build(groups: ParameterGroups, settings: UpdateSettings) -> SGD:
    """SGD over the groups."""
    from torch.optim import SGD

    whole = settings.strategy != "fsdp"  # the fused form takes no matrices that devices share
    return SGD(groups, lr=settings.learning_rate, momentum=settings.momentum, fused=fused(settings) and whole)


OPTIMIZERS = (
    OptimizerDeclaration(
        "sgd", build, frozenset({"weight_decay", "momentum"}), numbers_kept=lambda settings: int(settings.momentum > 0)
    ),
)
