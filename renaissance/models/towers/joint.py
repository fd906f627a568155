"""One transformer over words and patches together: a Hugging Face text or vision encoder, its layers run by us.

In: embeddings of a text, an image, or both (B, N, D) with their mask. Out: hidden states (B, N, D).

Vision layers take no mask in most versions of transformers, and BEiT's hand their own bias to attention where a mask
would go. So the mask does not travel through the layers: they are set to an attention function of ours (registered
in transformers' `ALL_ATTENTION_FUNCTIONS`), which reads it from a context variable. Attention weights have no dropout
(see `layers/attention.py`).
"""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.image_positions import find_image_positions
from renaissance.models.layers.attention import attend
from renaissance.models.patch_dropout import check_takes_some_patches
from renaissance.models.pretrained.sources import EncoderRequest
from renaissance.models.towers.image import sequence_norm
from renaissance.models.towers.text import knows_segments, position_embeddings, position_numbers
from renaissance.models.weights import first_position

ATTENTION = "renaissance_joint"
LAYERS = ("layers", "encoder.layer", "encoder.layers", "transformer.layer")
NORMS = ("layernorm", "LayerNorm", "norm")
# What a plain transformer is made of. Whatever else a model has, running its layers alone would leave out.
EMBEDDINGS = ("embeddings", "embeddings_project")
KNOWN = {*EMBEDDINGS, "encoder", "layers", "transformer", "pooler", "shared_position_bias", *NORMS}


@dataclass(frozen=True)
class Scope:
    """What attention may look at in the pass that is running.

    Attributes:
        mask: (B, 1, 1, N) bool, True where there is something; None for everywhere.
        image_positions: how many of the N positions, the last ones, are an image's.
        bias: (1, H, P, P) bias between image positions that all layers share, or None.
    """

    mask: Tensor | None
    image_positions: int
    bias: Tensor | None = None


_scope: ContextVar[Scope] = ContextVar("scope")


def joint_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **unused: Any,
) -> tuple[Tensor, None]:
    """Attention in the current scope, called as transformers calls it.

    Args:
        module: the attention layer.
        query: (B, H, N, D / H).
        key: (B, H, N, D / H).
        value: (B, H, N, D / H).
        attention_mask: (1, H, P, P) bias between image positions that the layer adds, or None.
        scaling: of the scores; None for (D / H) ** -0.5.
        unused: what else transformers hands over, such as the dropout of attention weights.

    Returns:
        (B, N, H, D / H), and no weights.
    """
    scope = _scope.get()
    mask = scope.mask
    biases = [bias for bias in (attention_mask, scope.bias) if bias is not None]
    if biases and scope.image_positions:
        before = query.shape[2] - scope.image_positions
        total = F.pad(sum(biases[1:], start=biases[0]), (before, 0, before, 0)).to(query.dtype)
        mask = total if mask is None else total.masked_fill(~mask, float("-inf"))
    return attend(query, key, value, mask, scale=scaling, module=module), None


AttentionInterface.register(ATTENTION, joint_attention)


class JointTransformer(nn.Module):
    """A Hugging Face encoder whose embeddings and layers can be run apart.

    Args:
        encoder: the Hugging Face model, without a pooler.
        request: what asked for it, for messages.

    Attributes:
        sees_images: whether the encoder's own embeddings are of patches rather than words.

    Raises:
        UserError: the encoder is not a plain transformer.
    """

    def __init__(self, encoder: PreTrainedModel, request: EncoderRequest) -> None:
        super().__init__()
        _check_plain(encoder, request)
        encoder.config._attn_implementation = ATTENTION
        self.encoder = encoder
        self.hidden_size: int = encoder.config.hidden_size
        self.sees_images = encoder.main_input_name == "pixel_values"
        self.first_position = first_position(position_embeddings(encoder))
        self.reads_segments = knows_segments(encoder)
        self.image_positions = find_image_positions(encoder)

    def embed_text(self, tokens: Tokens) -> Tensor:
        """The encoder's own word embeddings (B, L, D)."""
        arguments = {"position_ids": position_numbers(tokens, self.first_position)} if self.first_position else {}
        if self.reads_segments and tokens.segments is not None:
            arguments["token_type_ids"] = tokens.segments
        hidden: Tensor = self._own("embeddings")(input_ids=tokens.ids, **arguments)
        project = self._own("embeddings_project")
        return hidden if project is None else project(hidden)

    def embed_image(self, pixels: Tensor) -> Tensor:
        """The encoder's own patch embeddings (B, P, D)."""
        return self._own("embeddings")(pixels)

    def check_takes_some_patches(self, before: int) -> None:
        """Refuse patch dropout where the layers cannot do without some patches.

        Args:
            before: positions before the first patch.

        Raises:
            UserError: they have biases between patches, as BEiT's.
        """
        weight, training = next(self.parameters()), self.training
        self.eval()
        hidden = torch.randn(1, before + 4, self.hidden_size, generator=torch.Generator().manual_seed(0), device="cpu")
        try:
            check_takes_some_patches(
                lambda: hidden.to(weight),
                lambda embeddings: self(embeddings, None, embeddings.shape[1]),
                before,
                f"a {self.encoder.config.model_type} model",
            )
        finally:
            self.train(training)

    def drop_embeddings(self) -> None:
        """Forget the encoder's own embeddings, in a run that has no use for them."""
        for name in EMBEDDINGS:
            if self._own(name) is not None:
                setattr(self.encoder, name, nn.Identity())

    def forward(self, hidden: Tensor, mask: Tensor | None, image_positions: int) -> Tensor:
        """
        Args:
            hidden: (B, N, D), text first, then image.
            mask: (B, N) bool, True where there is something; None for everywhere.
            image_positions: how many of the N are the image's.
        """
        options = self._layer_options()
        bias = self._shared_bias() if image_positions else None
        token = _scope.set(Scope(None if mask is None else mask[:, None, None], image_positions, bias))
        try:
            for layer in find_layers(self.encoder):
                output = layer(hidden, **options)
                hidden = output[0] if isinstance(output, tuple) else output
        finally:
            _scope.reset(token)
        norm = self._last_norm()
        return hidden if norm is None else norm(hidden)

    def _own(self, name: str) -> Any:
        """A module of the encoder by name; None where it has none."""
        return getattr(self.encoder, name, None)

    def _layer_options(self) -> dict[str, Any]:
        """BEiT's layers ask for the image's size in pixels; it is the one they were built for."""
        if self.encoder.config.model_type != "beit":
            return {}
        size = self.encoder.config.image_size
        return {"resolution": (size, size)}

    def _shared_bias(self) -> Tensor | None:
        bias = self._own("shared_position_bias")
        return None if bias is None else bias(bias.window_size)

    def _last_norm(self) -> nn.Module | None:
        own = (self._own(name) for name in NORMS)
        return next((norm for norm in own if isinstance(norm, nn.LayerNorm)), sequence_norm(self.encoder))


def find_layers(encoder: nn.Module) -> list[nn.Module]:
    """The layers of an encoder, the lowest first; none where they cannot be told.

    Those of a Hugging Face model that keeps them in one of the usual places, or the `layers` of a plug-in's encoder.
    """
    if not isinstance(encoder, PreTrainedModel):
        own = getattr(encoder, "layers", None)
        return list(own) if isinstance(own, nn.ModuleList) else []
    for path in LAYERS:
        found: Any = encoder
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList) and len(found) == getattr(encoder.config, "num_hidden_layers", None):
            return list(found)
    return []


def _check_plain(encoder: PreTrainedModel, request: EncoderRequest) -> None:
    """Refuse encoders that are more than embeddings, layers and a norm, or whose attention we cannot replace."""
    parts = {name for name, _ in encoder.named_children()}
    layers = find_layers(encoder)
    if "embeddings" in parts <= KNOWN and layers and encoder._supports_attention_backend and _takes_one(layers[0]):
        return
    raise UserError(
        f"{request.setting} = {request.name!r}: a one-tower model runs the layers of a plain transformer over words "
        f"and patches together, and a {encoder.config.model_type} model is not one. Take a BERT, RoBERTa or ELECTRA, "
        "a ViT, DeiT, BEiT or DINO, or model_type='two-tower'."
    )


def _takes_one(layer: nn.Module) -> bool:
    """Whether a layer needs nothing but hidden states."""
    parameters = list(inspect.signature(type(layer).forward).parameters.values())[2:]
    return all(
        parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD for parameter in parameters
    )
