"""Muon for the hidden matrices, AdamW for everything else, in one optimiser.

Muon makes the step of a matrix orthogonal. It is meant for hidden matrices alone; embeddings, heads, biases and norms
go to AdamW: https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from renaissance.training.optimizers.interface import OptimizerDeclaration, ParameterGroups, fused

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from renaissance.settings.groups.training import OptimizerSettings


def build(groups: ParameterGroups, settings: OptimizerSettings) -> Optimizer:
    """Muon over the groups of matrices, AdamW over the others."""
    from renaissance.training.optimizers.muon_with_adamw import MuonWithAdamW

    beta1, beta2 = settings.adam_betas
    return MuonWithAdamW(
        groups,
        lr=settings.learning_rate,
        momentum=settings.muon_momentum,
        betas=(beta1, beta2),
        eps=settings.adam_epsilon,
        fused=fused(settings),
    )


OPTIMIZERS = (
    OptimizerDeclaration(
        "muon",
        build,
        frozenset({"weight_decay", "muon_momentum", "adam_betas", "adam_epsilon"}),
        numbers_kept=lambda _: 1,  # of a matrix; of the few other parameters 2
        separates_matrices=True,
    ),
)
