"""The image tower: any Hugging Face vision encoder.

In: normalised pixels (B, 3, H, W). Out: one vector a position (B, P, D). Encoders that make a sequence (ViT, DeiT,
BEiT, DINO, Swin) hand it out; feature maps (ConvNeXt, ResNet) are flattened to one. It may be pretrained, randomly
initialised in its published dimensions, or in dimensions given by hand; `image_size` and `patch_size` reach it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from renaissance.errors import UserError
from renaissance.models.image_positions import ImagePositions, find_image_positions
from renaissance.models.interface import Features
from renaissance.models.layers.initialise import initialise_linear_maps
from renaissance.models.patch_dropout import PatchDropout, check_takes_some_patches
from renaissance.models.pretrained.dimensions import with_dimensions
from renaissance.models.pretrained.sources import (
    EncoderRequest,
    create_model,
    find_config,
    load_pretrained,
    sees_images,
)
from renaissance.models.towers.interface import ImageTower
from renaissance.models.weights import load_weights


class VisionEncoder(ImageTower):
    """A Hugging Face vision encoder that takes pixels and hands out `Features`.

    Args:
        encoder: the Hugging Face model, without a pooler.
        image_size: H = W, in pixels.
        patch_dropout: share of the patches that are left out in training.

    Attributes:
        hidden_size: D.
        positions: what its P positions stand for.
    """

    encoder: PreTrainedModel

    def __init__(self, encoder: PreTrainedModel, image_size: int, patch_dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.hidden_size, makes_map = self._measure(image_size)
        self.positions = ImagePositions() if makes_map else find_image_positions(encoder)
        self.patch_dropout = PatchDropout(patch_dropout, self.positions.before)
        if patch_dropout:
            self._check_takes_some_patches(image_size)

    def forward(self, pixels: Tensor) -> Features:
        """B images to features (B, P, D); under patch dropout, in training, of fewer patches."""
        dropped = self.training and self.patch_dropout.rate
        with self._embeddings_through(self.patch_dropout) if dropped else nullcontext():
            hidden = self.encoder(pixel_values=pixels).last_hidden_state
        if hidden.dim() == 4:  # a feature map (B, D, rows, columns)
            hidden = hidden.flatten(2).transpose(1, 2)
        norm = sequence_norm(self.encoder)
        if norm is not None:
            hidden = norm(hidden)
        return Features(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device))

    def unreached(self, pooled: bool) -> list[nn.Module | nn.Parameter]:
        return [*mask_tokens(self.encoder)]

    @contextmanager
    def _embeddings_through(self, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
        """Have the encoder's layers see what `change` makes of the patches' embeddings (B, P, D)."""
        hook = self.encoder.get_submodule("embeddings").register_forward_hook(lambda module, given, made: change(made))
        try:
            yield
        finally:
            hook.remove()

    def _check_takes_some_patches(self, image_size: int) -> None:
        """Refuse patch dropout where the encoder cannot do without some patches. Raises UserError: it cannot."""
        weight, training = next(self.encoder.parameters()), self.encoder.training
        self.encoder.eval()
        noise = torch.randn(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0), device="cpu")
        pixels = noise.to(weight)

        def run(embeddings: Tensor) -> Tensor:
            with self._embeddings_through(lambda made: embeddings):
                hidden: Tensor = self.encoder(pixel_values=pixels).last_hidden_state
            return hidden

        def embed() -> Tensor:
            embeddings: Tensor = self.encoder.get_submodule("embeddings")(pixels)
            return embeddings

        try:
            name = f"a {self.encoder.config.model_type} model"
            check_takes_some_patches(embed, run, self.positions.before, name)
        finally:
            self.encoder.train(training)

    @torch.no_grad()
    def _measure(self, image_size: int) -> tuple[int, bool]:
        """D, and whether a feature map comes out; seen on one black image, as configurations name it in many ways."""
        weight = next(self.encoder.parameters())
        training = self.encoder.training
        self.encoder.eval()
        pixels = torch.zeros(1, 3, image_size, image_size, dtype=weight.dtype, device=weight.device)
        try:
            # transformers keeps a BEiT's table of relative positions for models to come: it must have values, even
            # where this model is on the meta device.
            with torch.device("cpu"):
                hidden = self.encoder(pixel_values=pixels).last_hidden_state
            return (hidden.shape[1], True) if hidden.dim() == 4 else (hidden.shape[-1], False)
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"A {self.encoder.config.model_type} model cannot take images of {image_size} x {image_size} pixels: "
                f"{error}. Take another image_size (its published one is {self.encoder.config.image_size})."
            ) from error
        finally:
            self.encoder.train(training)


def mask_tokens(encoder: nn.Module) -> list[nn.Parameter]:
    """What stands for hidden patches where an encoder is trained to tell what they were, as DINOv2 is: nowhere else."""
    return [parameter for name, parameter in encoder.named_parameters() if name.endswith("mask_token")]


def sequence_norm(encoder: PreTrainedModel) -> nn.Module | None:
    """The last norm of encoders that apply it to their pooled vector only, or None.

    ConvNeXt and fine-tuned BEiTs average first and norm then; we hand out the positions, so they are normed here.
    """
    owner: Any = encoder
    if encoder.config.model_type in {"convnext", "convnextv2"}:
        return owner.layernorm
    return getattr(owner.pooler, "layernorm", None) if encoder.config.model_type == "beit" else None


def build_vision_encoder(
    request: EncoderRequest,
    *,
    image_size: int,
    patch_size: int | None,
    original_image_size: int | None,
    notes: list[str],
) -> PreTrainedModel:
    """The Hugging Face vision encoder that the settings ask for.

    Args:
        request: which encoder, random or pretrained.
        image_size: pixels on a side of the images to come.
        patch_size: pixels on a side of a patch; None for the encoder's own.
        original_image_size: pixels on a side of the images that the checkpoint saw; None for what it says.
        notes: what the user should know is added here.

    Raises:
        UserError: it cannot be had, or a setting contradicts its weights.
    """
    config = find_config(request, "vision")
    if not sees_images(config):
        raise UserError(
            f"{request.setting} = {request.name!r} is a {config.model_type} model, not a vision encoder. "
            "Take one such as facebook/deit-tiny-patch16-224."
        )
    if request.random and request.config is None:
        config = with_dimensions(config, request)
        if patch_size is not None:
            _set_patch_size(config, patch_size, request)
        _set_image_size(config, image_size, request)
        encoder = create_model(config)
        initialise_linear_maps(encoder)
        return encoder
    _check_contradictions(config, request, patch_size, original_image_size)
    if request.config is not None:
        _set_image_size(config, image_size, request)
        encoder = create_model(config)
        initialise_linear_maps(encoder)
        return encoder
    return _resized(load_pretrained(request, config, notes), image_size, request, notes)


def _set_patch_size(config: PreTrainedConfig, patch_size: int, request: EncoderRequest) -> None:
    if hasattr(config, "patch_size"):
        config.patch_size = patch_size
    elif patch_size is not None:
        raise UserError(
            f"patch_size = {patch_size}, but {request.setting} = {request.name!r} has no patches. Leave it at None."
        )


def _set_image_size(config: PreTrainedConfig, image_size: int, request: EncoderRequest) -> None:
    """Write the image size into the configuration, if the patches cover the image exactly."""
    patch_size = getattr(config, "patch_size", None)
    if isinstance(patch_size, int):
        check_patches(image_size, patch_size, f"{request.setting} = {request.name!r}")
    if hasattr(config, "image_size"):
        config.image_size = image_size


def check_patches(image_size: int, patch_size: int, owner: str) -> None:
    """Refuse an image that patches do not cover exactly: its edge would be cut off in silence."""
    if image_size % patch_size:
        smaller = image_size // patch_size * patch_size
        raise UserError(
            f"image_size = {image_size} is no multiple of the patch size {patch_size} of {owner}. "
            f"Take {smaller or patch_size} or {smaller + patch_size}."
        )


def _check_contradictions(
    config: PreTrainedConfig, request: EncoderRequest, patch_size: int | None, original_image_size: int | None
) -> None:
    """Refuse settings that say of the weights what is not so."""
    claims = {"patch_size": patch_size, "original_image_size": original_image_size}
    if request.config is not None:  # our own checkpoint: the weights that it began with have been resized since
        del claims["original_image_size"]
    facts = {"patch_size": "patch_size", "original_image_size": "image_size"}
    for setting, claimed in claims.items():
        fact = getattr(config, facts[setting], None)
        if claimed is not None and fact is not None and fact not in (claimed, [claimed] * 2, (claimed, claimed)):
            raise UserError(
                f"{setting} = {claimed} contradicts the weights of {request.setting} = {request.name!r}, which have "
                f"{fact}. Leave it at None, or start from random weights with {request.random_setting}=True."
            )


def _resized(encoder: PreTrainedModel, image_size: int, request: EncoderRequest, notes: list[str]) -> PreTrainedModel:
    """The encoder for images of another size, its position embeddings interpolated."""
    config = copy.deepcopy(encoder.config)
    _set_image_size(config, image_size, request)
    if getattr(config, "image_size", None) == getattr(encoder.config, "image_size", None):
        return encoder
    other = create_model(config)
    report = load_weights(other, encoder.state_dict(), source=request.name)
    notes += [f"{request.setting}: resized {name} from {old} to {new}" for name, (old, new) in report.resized.items()]
    return other
