"""The lowest layers of an encoder kept as they are, while those above them are trained.

Comes in: an encoder and how many of its layers. Goes out: what was frozen. A frozen layer below which all
is frozen needs no backward pass, and PyTorch does none: its output does not require a gradient.
"""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from renaissance.errors import UserError
from renaissance.models.towers.joint import find_layers

SHARED = "shared_position_bias"  # what all layers of a BEiT read


def lowest_modules(encoder: nn.Module, count: int, setting: str) -> list[nn.Module]:
    """The lowest layers of an encoder and everything below them.

    Args:
        encoder: the encoder.
        count: how many layers.
        setting: the setting that says so, for messages.

    Raises:
        UserError: the encoder has fewer layers, or none that can be told apart.
    """
    layers = find_layers(encoder)
    kind = encoder.config.model_type if isinstance(encoder, PreTrainedModel) else type(encoder).__name__
    if not layers:
        raise UserError(
            f"{setting}={count}: a {kind} model has no single stack of layers, so its lowest ones cannot be frozen. "
            f"Freeze all of it, or take {setting}=0."
        )
    if count > len(layers):
        raise UserError(f"{setting}={count}, but this {kind} encoder has {len(layers)} layers. Take at most that many.")
    children = list(encoder.children())
    holder = next(
        place for place, child in enumerate(children) if any(module is layers[0] for module in child.modules())
    )
    below = children[:holder]
    below += [module for name, module in encoder.named_modules() if name.endswith(SHARED) and module not in below]
    return [*below, *layers[:count]]
