"""Attention weights of a model's parts while it computes: our own layers', and those of models of transformers.

Our layers compute them beside their fused kernel (`recorded_attention`). A model of transformers is asked for its
`attentions`, which it has in eager mode: it is set to that for the time, so nothing else should compute on the model
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.layers.attention import Record, recorded_attention
from renaissance.models.pretrained.sources import quiet_transformers
from renaissance.models.towers.joint import ATTENTION


@dataclass
class Recorded:
    """What was recorded.

    Attributes:
        own: of our layers, in the order of their calls.
        outputs: of each model of transformers that ran what it handed out, by the model's part.
    """

    own: list[Record] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, module: nn.Module) -> list[Tensor]:
        """The weights (B, N, M) of one of our modules, a call each."""
        return [record.weights for record in self.own if record.module is module and record.weights is not None]

    def square(self, positions: int) -> list[Tensor]:
        """The weights (B, N, N) of the layers of a sequence of N positions, lowest first; none where one lacks them.

        Of several models that read the same sequence, those of the first.
        """
        for output in self.outputs.values():
            layers = [one.float().mean(dim=1) for one in (getattr(output, "attentions", None) or ()) if one.dim() == 4]
            if layers and all(one.shape[1:] == (positions, positions) for one in layers):
                return layers
        own = [record.weights for record in self.own]
        if own and all(one is not None and one.shape[1:] == (positions, positions) for one in own):
            return [one for one in own if one is not None]
        return []


@contextmanager
def recording(encoder: VisionLanguageEncoder) -> Iterator[Recorded]:
    """Record the attention of all parts of a model while they compute."""
    recorded = Recorded()
    with ExitStack() as stack, quiet_transformers():
        recorded.own = stack.enter_context(recorded_attention())
        for part in encoder.parts():
            model = part.hugging_face_model()
            if model is not None and model.config._attn_implementation != ATTENTION:
                stack.enter_context(_asked_for_attentions(model, part.name, recorded))
        yield recorded


@contextmanager
def _asked_for_attentions(model: PreTrainedModel, name: str, recorded: Recorded) -> Iterator[None]:
    """Have a model of transformers hand out its attention weights."""

    def keep(module: nn.Module, arguments: Any, output: Any) -> None:
        recorded.outputs[name] = output

    implementation, asked = model.config._attn_implementation, model.config.output_attentions
    hook = model.register_forward_hook(keep)
    try:
        if implementation != "eager":
            model.set_attn_implementation("eager")
        model.config.output_attentions = True
        yield
    finally:
        model.config.output_attentions = asked
        if implementation != "eager":
            model.set_attn_implementation(implementation)
        hook.remove()


def rollout(layers: Sequence[Tensor]) -> Tensor:
    """How much of each position a position of the last layer is made of, (B, N, N); rows add up to 1.

    Each layer's weights, the mean over its heads, count half and the residual connection half.

    Args:
        layers: (B, N, N) each, the lowest first.

    Source: Abnar and Zuidema, 2020, https://arxiv.org/abs/2005.00928, section 3.
    """
    total = torch.eye(layers[0].shape[-1], device=layers[0].device).expand_as(layers[0])
    for weights in layers:
        total = (0.5 * weights + 0.5 * torch.eye(weights.shape[-1], device=weights.device)) @ total
    return total
