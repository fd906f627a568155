"""What an optimiser declares: its name, the settings that it reads, and how it is built. No PyTorch here.

An optimiser of one's own is a declaration with a function that builds it:

    from renaissance.extend import register_optimizer
    from renaissance.training.optimizers.interface import OptimizerDeclaration

    def build(groups, settings):
        from torch.optim import NAdam

        return NAdam(groups, lr=settings.learning_rate, betas=tuple(settings.adam_betas))

    reads = frozenset({"adam_betas", "weight_decay"})
    register_optimizer(OptimizerDeclaration("nadam", build, reads, numbers_kept=lambda settings: 2))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.optim import Optimizer

# Where settings are given here, they are `Settings`. Their check asks for the optimisers' names, so naming that type
# here would close a circle of imports.
ParameterGroups = list[dict[str, Any]]
"""Groups as PyTorch's optimisers take them, each with "params", "lr" (its full learning rate) and "weight_decay"."""


@dataclass(frozen=True)
class OptimizerDeclaration:
    """What is known of an optimiser.

    Attributes:
        name: what `optim_type` calls it.
        build: makes the optimiser over parameter groups. PyTorch is imported within this function. Options that are
            not in the groups come from the settings; the schedule multiplies each group's "lr" at every step.
        reads: the settings that it reads, of those that not every optimiser reads.
        numbers_kept: how many numbers it keeps for each trained parameter at least, such as 2 for Adam's two running
            means. Whether a model fits into memory is told by it.
        separates_matrices: whether its groups hold either hidden matrices or other parameters, never both. Each group
            then says under "matrices" which it holds.
    """

    name: str
    build: Callable[[ParameterGroups, Any], Optimizer]
    reads: frozenset[str]
    numbers_kept: Callable[[Any], int]
    separates_matrices: bool = False


def fused(settings: Any) -> bool:
    """Whether an optimiser takes PyTorch's fused form.

    Under `precision=16-mixed` that form would unscale the gradients itself, after they were clipped.
    """
    return settings.precision != "16-mixed"
