"""Small Hugging Face models that the tests compare with."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, AutoModel

TEXT = {
    "vocab_size": 60,
    "hidden_size": 32,
    "embedding_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 20,
    "pad_token_id": 0,
}
IMAGE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
BEIT = {**IMAGE, "use_relative_position_bias": True, "vocab_size": 8}
SWIN = {
    "image_size": 32,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [1, 1],
    "num_heads": [2, 4],
    "window_size": 4,
}
CONVNEXT = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32]}
RESNET = {"depths": [1, 1], "hidden_sizes": [16, 32], "embedding_size": 8}


def reference(model_type: str, values: dict[str, Any], **changes: Any) -> Any:
    """A model of `model_type` in evaluation mode, every weight of it random (also those that start as zeros)."""
    model = AutoModel.from_config(CONFIG_MAPPING[model_type](**{**values, **changes}))
    randomise(model)
    return model.eval()


@torch.no_grad()
def randomise(module: nn.Module) -> None:
    """Make every parameter matter: position embeddings, class positions and bias tables often start as zeros."""
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
