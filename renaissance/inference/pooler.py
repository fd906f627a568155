"""The pooler that an exported encoder opens with elsewhere.

Our encoders are built without one, and transformers' `AutoModel` adds it, with random weights and a warning. A pooler
is a linear map of the first token's features and an activation; exported as the identity it hands these features out.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel


@torch.no_grad()
def add_first_token_pooler(encoder: PreTrainedModel) -> str:
    """Give an encoder without a pooler the identity as one, if `AutoModel` has one for its architecture.

    Args:
        encoder: changed in place.

    Returns:
        what `pooler_output` then is, in words; empty where nothing was added.
    """
    config = encoder.config
    if type(config) not in AutoModel._model_mapping or getattr(encoder, "pooler", False) is not None:
        return ""
    if hasattr(config, "pooler_act"):
        config.pooler_act = "linear"
    with torch.device("meta"):
        pooler = AutoModel.from_config(config).pooler
    maps = [module for module in pooler.modules() if isinstance(module, nn.Linear)] if pooler is not None else []
    if len(maps) != 1 or len(list(pooler.parameters())) != 2:
        return ""
    encoder.pooler = pooler.to_empty(device=encoder.device)
    nn.init.eye_(maps[0].weight)
    nn.init.zeros_(maps[0].bias)
    return f"the {'' if hasattr(config, 'pooler_act') else 'hyperbolic tangent of the '}first position's features"
