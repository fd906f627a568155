"""The lowest layers of an encoder kept as they are, while those above them are trained.

Comes in: a Hugging Face encoder and how many of its layers. Goes out: what was frozen. A frozen layer below which all
is frozen needs no backward pass, and PyTorch does none: its output does not require a gradient.
"""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from renaissance.errors import UserError
from renaissance.models.joint import EMBEDDINGS, find_layers

# What lies below the first layer: embeddings, a norm before it (CLIP's), a bias that all layers share (BEiT's).
BELOW = (*EMBEDDINGS, "pre_layrnorm", "pre_layernorm", "shared_position_bias")


def lowest_modules(encoder: PreTrainedModel, count: int, setting: str) -> list[nn.Module]:
    """The lowest layers of an encoder and everything below them.

    Args:
        encoder: the encoder.
        count: how many layers.
        setting: the setting that says so, for messages.

    Raises:
        UserError: the encoder has fewer layers, or none that can be told apart.
    """
    layers = find_layers(encoder)
    kind = encoder.config.model_type
    if not layers:
        raise UserError(
            f"{setting}={count}: a {kind} model has no single stack of layers, so its lowest ones cannot be frozen. "
            f"Freeze all of it, or take {setting}=0."
        )
    if count > len(layers):
        raise UserError(f"{setting}={count}, but this {kind} encoder has {len(layers)} layers. Take at most that many.")
    below = [module for name, module in encoder.named_children() if name in BELOW]
    return [*below, *layers[:count]]
