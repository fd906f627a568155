"""How weights that no checkpoint gives begin.

In: a module of ours. Out: the same module, its linear maps, convolutions and embeddings drawn from a normal
distribution of standard deviation 0.02 (BERT's, https://arxiv.org/abs/1810.04805), biases 0, norms 1.
"""

from __future__ import annotations

from torch import nn

STANDARD_DEVIATION = 0.02


def initialise(module: nn.Module) -> None:
    """Draw the weights of `module` and of everything in it."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d, nn.Embedding)):
            nn.init.normal_(part.weight, std=STANDARD_DEVIATION)
            if getattr(part, "bias", None) is not None:
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
