"""Mixup: a training example becomes a mixture of two, in its inputs and in its targets.

Comes in: lambda ~ Beta(alpha, alpha), drawn once a batch, and a partner for each example. Words are mixed where they
have become vectors, before positions and layers; pixels as they are, which is the same as mixing the patches' linear
embeddings. A text is as long as the longer of the two that are mixed.

Sources: Zhang et al. 2017, https://arxiv.org/abs/1710.09412; on word embeddings Guo et al. 2019,
https://arxiv.org/abs/1905.08941.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.interface import Features, VisionLanguageEncoder


@dataclass(frozen=True)
class Mixing:
    """How the examples of a batch are mixed.

    Attributes:
        weight: lambda, the share of each example in its own mixture.
        partner: (B,) long, the example that the rest comes from.
    """

    weight: float
    partner: Tensor

    @classmethod
    def draw(cls, alpha: float, examples: int, generator: np.random.Generator) -> Mixing:
        """Draw the weight and the partners of a batch.

        Args:
            alpha: of the Beta distribution; near 0 one of the two examples nearly vanishes, 1 is uniform.
            examples: B.
            generator: gives the random numbers.
        """
        weight = float(generator.beta(alpha, alpha))
        return cls(weight, torch.from_numpy(generator.permutation(examples)))

    def to(self, device: torch.device | str) -> Mixing:
        """The same on another device."""
        return Mixing(self.weight, self.partner.to(device))

    def mix(self, values: Tensor) -> Tensor:
        """(B, ...) to the mixtures (B, ...)."""
        return self.weight * values + (1 - self.weight) * values[self.partner]

    def encode_text(self, model: VisionLanguageEncoder, tokens: Tokens) -> Features:
        """Features (B, L, D) of mixed texts; they reach as far as either of their two."""
        joined = replace(tokens, mask=tokens.mask | tokens.mask[self.partner])
        with self._words_mixed(model):
            return model.encode_text(joined)

    @contextmanager
    def _words_mixed(self, model: VisionLanguageEncoder) -> Iterator[None]:
        """Within the block, what the model's word embeddings hand out is mixed."""
        hooks = [
            module.register_forward_hook(lambda module, inputs, output: self.mix(output))
            for module in word_embeddings(model)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def word_embeddings(model: nn.Module) -> list[nn.Module]:
    """The modules that turn words into vectors: those of Hugging Face text encoders, and our own of that name.

    Raises:
        UserError: an encoder has something else in the place of an embedding (I-BERT quantises its own), or none.
    """
    found: dict[int, nn.Module] = {}
    for name, module in model.named_modules():
        if isinstance(module, PreTrainedModel):
            embedding = module.get_input_embeddings() if module.main_input_name == "input_ids" else None
        else:
            embedding = module if name.endswith("word_embeddings") else None
        if embedding is None:
            continue
        if not isinstance(embedding, nn.Embedding):
            raise UserError(
                f"mixing_alpha: the words of a {type(module).__name__} cannot be mixed, for it embeds them in a "
                f"{type(embedding).__name__}. Take mixing_alpha=0, or another encoder."
            )
        found[id(embedding)] = embedding
    if not found:
        raise UserError("mixing_alpha: no word embeddings are found in this model. Take mixing_alpha=0.")
    return list(found.values())
