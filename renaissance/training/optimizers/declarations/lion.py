"""Lion, of the package lion-pytorch: steps by the sign of a running mean of gradients.

Every weight moves by the learning rate, whatever its gradient's size, so the authors advise a learning rate three to
ten times smaller than AdamW's and a weight decay as many times larger: https://arxiv.org/abs/2302.06675
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from renaissance.training.optimizers.interface import OptimizerDeclaration, ParameterGroups

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from renaissance.settings.groups.training import OptimizerSettings


def build(groups: ParameterGroups, settings: OptimizerSettings) -> Optimizer:
    """Lion over the groups."""
    from lion_pytorch import Lion

    beta1, beta2 = settings.lion_betas
    optimizer: Optimizer = Lion(groups, lr=settings.learning_rate, betas=(beta1, beta2))
    return optimizer


OPTIMIZERS = (OptimizerDeclaration("lion", build, frozenset({"weight_decay", "lion_betas"}), numbers_kept=lambda _: 1),)
