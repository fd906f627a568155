"""The optimiser and its parameter groups, read off the model's structure.

Every part of the model says whether it is a tower, cross-modal or a head; its learning rate follows from that.
Biases and the weights of norms (all parameters of one dimension) are spared weight decay. A frozen part has no
group. A parameter that belongs to no part, or to two, is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from renaissance.models.interface import Part
from renaissance.settings import Settings


def learning_rate_of(part: Part, settings: Settings) -> float:
    """The full learning rate of a part."""
    multiplier = {
        "tower": 1.0,
        "cross_modal": settings.lr_mult_cross_modal,
        "head": settings.lr_mult_head,
    }[part.role]
    return settings.learning_rate * multiplier


def parameter_groups(parts: Sequence[Part], settings: Settings) -> list[dict[str, Any]]:
    """Two groups a trained part, with and without weight decay, each with "part", "params", "lr", "weight_decay"."""
    groups = []
    for part in parts:
        parameters = [parameter for parameter in part.module.parameters() if parameter.requires_grad]
        for decayed in (True, False):
            chosen = [parameter for parameter in parameters if (parameter.ndim > 1) == decayed]
            if chosen:
                groups.append(
                    {
                        "part": part.name,
                        "params": chosen,
                        "lr": learning_rate_of(part, settings),
                        "weight_decay": settings.weight_decay if decayed else 0.0,
                    }
                )
    return groups


def check_parts(module: nn.Module, parts: Sequence[Part]) -> None:
    """Assert that every parameter of `module` lies in exactly one part.

    Raises:
        ValueError: naming the parameters that lie in none or in several.
    """
    counts = {id(parameter): 0 for parameter in module.parameters()}
    for part in parts:
        for parameter in part.module.parameters():
            counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    wrong = [name for name, parameter in module.named_parameters() if counts[id(parameter)] != 1]
    if wrong:
        raise ValueError(f"parameters that are not in exactly one part of the model: {', '.join(wrong)}")


def build_optimizer(groups: list[dict[str, Any]], settings: Settings) -> torch.optim.Optimizer:
    """AdamW, Adam or SGD over the groups, in PyTorch's fused form.

    A state that is loaded brings its running means; rates, decays and the like stay those of the settings.
    With `precision=16-mixed` the fused form would unscale gradients itself, after clipping, so it is left out there.
    """
    common: dict[str, Any] = {"lr": settings.learning_rate, "fused": settings.precision != "16-mixed"}
    optimizer: torch.optim.Optimizer
    if settings.optim_type == "sgd":
        optimizer = torch.optim.SGD(groups, momentum=settings.momentum, **common)
    else:
        kind = torch.optim.AdamW if settings.optim_type == "adamw" else torch.optim.Adam
        beta1, beta2 = settings.adam_betas
        optimizer = kind(groups, betas=(beta1, beta2), eps=settings.adam_epsilon, **common)
    optimizer.register_load_state_dict_pre_hook(_with_own_options)
    return optimizer


def _with_own_options(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """A saved state with the options of this optimiser's groups in place of the saved ones."""
    groups = [
        {**own, "params": saved["params"]}
        for own, saved in zip(optimizer.param_groups, state["param_groups"], strict=True)
    ]
    return {**state, "param_groups": groups}
