"""How weights that no checkpoint gives begin.

In: a module. Out: the same module, its weights drawn from normal distributions, biases 0, norms 1.

Embeddings begin at BERT's standard deviation of 0.02 (https://arxiv.org/abs/1810.04805). BERT draws its linear maps
from the same, at a width of 768. A linear map sums over its inputs, so at another width the same number would give
outputs of another size: narrow models then begin with attention that hardly differs from position to position, and
take several times as many steps until text and image find each other. Here the standard deviation is 0.02 at 768
inputs and follows one over the square root of their number.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from torch import nn
from transformers.pytorch_utils import Conv1D

STANDARD_DEVIATION = 0.02
_AT_INPUTS = 768


def initialise(module: nn.Module) -> None:
    """Draw the weights of a module of ours and of everything in it."""
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=STANDARD_DEVIATION)
        elif isinstance(part, (nn.Linear, nn.Conv2d)):
            _draw(part)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def initialise_linear_maps(module: nn.Module, besides: Collection[nn.Module] = ()) -> None:
    """Draw the linear maps of a Hugging Face model of random weights; the rest stays as its authors begin it.

    Args:
        module: the model.
        besides: maps that stay too: an output that shares its weights with the embeddings.
    """
    for part in module.modules():
        if isinstance(part, (nn.Linear, Conv1D)) and part not in besides:
            _draw(part)


def _draw(part: nn.Linear | nn.Conv2d | Conv1D) -> None:
    inputs = part.nx if isinstance(part, Conv1D) else part.weight[0].numel()  # GPT-2 writes its linear maps as Conv1D
    nn.init.normal_(part.weight, std=STANDARD_DEVIATION * math.sqrt(_AT_INPUTS / inputs))
