"""AdamW and Adam, in PyTorch's fused form.

AdamW takes weight decay off the weights themselves (https://arxiv.org/abs/1711.05101), Adam adds it to the gradient
(https://arxiv.org/abs/1412.6980).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from renaissance.training.optimizers.interface import OptimizerDeclaration, ParameterGroups, fused

if TYPE_CHECKING:
    from torch.optim import Adam, AdamW

    from renaissance.settings.schema import UpdateSettings


def build_adamw(groups: ParameterGroups, settings: UpdateSettings) -> AdamW:
    """AdamW over the groups."""
    from torch.optim import AdamW

    beta1, beta2 = settings.adam_betas
    return AdamW(
        groups,
        lr=settings.learning_rate,
        betas=(beta1, beta2),
        eps=settings.adam_epsilon,
        fused=fused(settings),
    )


def build_adam(groups: ParameterGroups, settings: UpdateSettings) -> Adam:
    """Adam over the groups."""
    from torch.optim import Adam

    beta1, beta2 = settings.adam_betas
    return Adam(
        groups,
        lr=settings.learning_rate,
        betas=(beta1, beta2),
        eps=settings.adam_epsilon,
        fused=fused(settings),
    )


READS = frozenset({"weight_decay", "adam_betas", "adam_epsilon"})
OPTIMIZERS = (
    OptimizerDeclaration("adamw", build_adamw, READS, numbers_kept=lambda _: 2),
    OptimizerDeclaration("adam", build_adam, READS, numbers_kept=lambda _: 2),
)
