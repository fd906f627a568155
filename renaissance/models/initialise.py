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

from torch import nn

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


def initialise_linear_maps(module: nn.Module) -> None:
    """Draw the linear maps of a Hugging Face model of random weights; the rest stays as its authors begin it."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            _draw(part)


def _draw(part: nn.Linear | nn.Conv2d) -> None:
    inputs = part.weight[0].numel()
    nn.init.normal_(part.weight, std=STANDARD_DEVIATION * math.sqrt(_AT_INPUTS / inputs))
