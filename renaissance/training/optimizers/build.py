"""The optimiser of a run: the one that `optim_type` names, over the model's parameter groups."""

from __future__ import annotations

from typing import Any

import torch

from renaissance.settings.schema import UpdateSettings
from renaissance.training.optimizers.interface import ParameterGroups
from renaissance.training.optimizers.registry import declared_optimizer


def build_optimizer(groups: ParameterGroups, settings: UpdateSettings) -> torch.optim.Optimizer:
    """The optimiser over the groups that `parameter_groups` made for the same settings.

    A state that is loaded brings its running means; rates, decays and the like stay those of the settings.
    """
    optimizer = declared_optimizer(settings.optim_type).build(groups, settings)
    optimizer.register_load_state_dict_pre_hook(_with_own_options)
    return optimizer


def _with_own_options(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """A saved state with the options of this optimiser's groups in place of the saved ones."""
    groups = [
        {**own, "params": saved["params"]}
        for own, saved in zip(optimizer.param_groups, state["param_groups"], strict=True)
    ]
    return {**state, "param_groups": groups}
