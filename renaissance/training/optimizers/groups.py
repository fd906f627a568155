"""The optimiser's parameter groups, read off the model's structure.

Every part of the model says whether it is a tower, cross-modal or a head; its learning rate follows from that.
Biases and the weights of norms (all parameters of one dimension) are spared weight decay. A frozen part has no
group. A parameter that belongs to no part, or to two, is an error.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from renaissance.models.decoders.interface import Decoder
from renaissance.models.interface import Part
from renaissance.settings.groups.training import OptimizerSettings
from renaissance.training.optimizers.interface import ParameterGroups
from renaissance.training.optimizers.registry import declared_optimizer


def learning_rate_of(part: Part, settings: OptimizerSettings) -> float:
    """The full learning rate of a part."""
    multiplier = {
        "tower": 1.0,
        "cross_modal": settings.lr_mult_cross_modal,
        "head": settings.lr_mult_head,
    }[part.role]
    return settings.learning_rate * multiplier


def parameter_groups(
    parts: Sequence[Part], settings: OptimizerSettings, beside: Set[nn.Parameter] = frozenset()
) -> ParameterGroups:
    """The groups of each trained part: with and without weight decay, and where the optimiser asks, matrices apart.

    Each has "part", "params", "lr" and "weight_decay"; where the optimiser separates matrices, "matrices" too.

    Args:
        parts: the model's.
        settings: of the optimiser.
        beside: parameters that are taken in as well, though they are not trained.
    """
    groups = []
    separates_matrices = declared_optimizer(settings.optim_type).separates_matrices
    for part in parts:
        matrices = hidden_matrices(part) if separates_matrices else frozenset()
        by_kind: dict[tuple[bool, bool], list[nn.Parameter]] = {(True, True): [], (True, False): [], (False, False): []}
        for parameter in part.module.parameters():
            if parameter.requires_grad or parameter in beside:
                by_kind[parameter.ndim > 1, parameter in matrices].append(parameter)
        for (decayed, of_matrices), chosen in by_kind.items():
            if chosen:
                group = {
                    "part": part.name,
                    "params": chosen,
                    "lr": learning_rate_of(part, settings),
                    "weight_decay": settings.weight_decay if decayed else 0.0,
                }
                groups.append({**group, "matrices": of_matrices} if separates_matrices else group)
    return groups


def hidden_matrices(part: Part) -> frozenset[Tensor]:
    """The weights (out, in) of a part's linear maps between hidden layers: those that Muon is meant for.

    Not among them are tables of embeddings, output layers onto a vocabulary, also where they share an embedding's
    weights, and tasks' heads: https://kellerjordan.github.io/posts/muon/
    """
    if part.role == "head" and not isinstance(part.module, Decoder):
        return frozenset()
    outer: set[Tensor] = set()
    for module in part.module.modules():
        if isinstance(module, nn.Embedding):
            outer.update(module.parameters())
        elif isinstance(module, PreTrainedModel) and module.get_output_embeddings() is not None:
            outer.update(module.get_output_embeddings().parameters())
    maps = [module for module in part.module.modules() if isinstance(module, nn.Linear | Conv1D)]
    return frozenset(module.weight for module in maps if module.weight not in outer)


def renumbered(state: dict[str, Any], groups: ParameterGroups, earlier: ParameterGroups) -> dict[str, Any]:
    """An optimiser's state for its groups, where it may be of those that earlier versions had.

    Args:
        state: as `Optimizer.state_dict` gives it, in which a parameter is a number, counted through all groups.
        groups: those that there are.
        earlier: those that there were: the same ones, with parameters among them that never had a gradient.

    Returns:
        the state without these parameters; as it is where it is of other groups.
    """
    if [len(group["params"]) for group in state["param_groups"]] != [len(group["params"]) for group in earlier]:
        return state
    known = {parameter for group in groups for parameter in group["params"]}
    parameters = [parameter for group in earlier for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    kept = [number for number, parameter in zip(numbers, parameters, strict=True) if parameter in known]
    new = {number: place for place, number in enumerate(kept)}
    own = [{**group, "params": [new[one] for one in group["params"] if one in new]} for group in state["param_groups"]]
    return {
        **state,
        "state": {new[number]: values for number, values in state["state"].items() if number in new},
        "param_groups": [group for group in own if group["params"]],
    }


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
