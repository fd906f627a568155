"""Towers around encoders that plug-ins register (`settings/registered_encoders.py`): PyTorch modules with a width.

Comes in: what a tower is built for, and what a checkpoint remembers of it. Goes out: a tower, its encoder tried on one
input, so that a wrong shape is told before the first step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.image_positions import ImagePositions
from renaissance.models.interface import Features
from renaissance.models.towers.interface import ImageTower, TextTower
from renaissance.settings.registered_encoders import (
    ENTRY,
    ImageEncoderRequest,
    TextEncoderRequest,
    image_encoder_builder,
    text_encoder_builder,
)

OWN = "config"  # of a checkpoint's configuration: the encoder's own


class RegisteredImageEncoder(ImageTower):
    """An image encoder of a plug-in as a tower.

    Args:
        request: what it is built for.

    Raises:
        UserError: no plug-in has registered it, or it is not what an image encoder must be.
    """

    main_input_name = "pixel_values"  # by which its position embeddings are resized as those of a grid

    def __init__(self, request: ImageEncoderRequest) -> None:
        super().__init__()
        what = f"image_encoder = {request.name!r}"
        self.name = request.name
        self.encoder = _checked_module(image_encoder_builder(request.name)(request), what)
        self.hidden_size = _hidden_size(self.encoder, what)
        has_class = bool(getattr(self.encoder, "has_class_position", False))
        self.positions = ImagePositions(has_class, before=int(has_class))
        pixels = torch.zeros(1, 3, request.image_size, request.image_size, device=_device(self.encoder))
        found = _tried(self.encoder, pixels)
        if found.dim() != 3 or len(found) != 1 or found.shape[2] != self.hidden_size or found.shape[1] <= has_class:
            raise UserError(
                f"{what} makes {tuple(found.shape)} of images of shape {tuple(pixels.shape)}. It must make (B, P, D):"
                " of one image at least one position beside a class position, each as wide as its hidden_size, "
                f"{self.hidden_size}."
            )

    def forward(self, pixels: Tensor) -> Features:
        hidden = self.encoder(pixels)
        return Features(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device))

    def saved_config(self) -> dict[str, Any]:
        """What a checkpoint remembers: the name that it is registered by, and its own configuration."""
        return {ENTRY: self.name, "num_channels": 3, OWN: _plain_config(self.encoder, f"image_encoder = {self.name!r}")}


class RegisteredTextEncoder(TextTower):
    """A text encoder of a plug-in as a tower.

    Args:
        request: what it is built for.

    Raises:
        UserError: no plug-in has registered it, or it is not what a text encoder must be.
    """

    def __init__(self, request: TextEncoderRequest) -> None:
        super().__init__()
        what = f"text_encoder = {request.name!r}"
        self.name = request.name
        self.vocab_size = request.vocab_size
        self.encoder = _checked_module(text_encoder_builder(request.name)(request), what)
        self.hidden_size = _hidden_size(self.encoder, what)
        ids = torch.full((2, request.max_text_len), request.pad_id, device=_device(self.encoder))
        found = _tried(self.encoder, ids, torch.ones_like(ids, dtype=torch.bool))
        if found.shape != (*ids.shape, self.hidden_size):
            raise UserError(
                f"{what} makes {tuple(found.shape)} of texts of shape {tuple(ids.shape)}. It must make (B, L, D): a "
                f"vector for each token, of its hidden_size, {self.hidden_size}."
            )

    def forward(self, tokens: Tokens) -> Features:
        return Features(self.encoder(tokens.ids, tokens.mask), tokens.mask)

    def saved_config(self) -> dict[str, Any]:
        """What a checkpoint remembers: the name that it is registered by, its vocabulary, and its own configuration."""
        own = _plain_config(self.encoder, f"text_encoder = {self.name!r}")
        return {ENTRY: self.name, "vocab_size": self.vocab_size, OWN: own}


def own_config(saved: Mapping[str, Any] | None) -> dict[str, Any]:
    """The encoder's own configuration in what a checkpoint remembers of it; empty where there is no checkpoint."""
    own = (saved or {}).get(OWN)
    return dict(own) if isinstance(own, Mapping) else {}


def _checked_module(built: Any, what: str) -> nn.Module:
    if not isinstance(built, nn.Module):
        raise UserError(f"{what}: its build function must return a torch.nn.Module, and returned {built!r}.")
    _plain_config(built, what)
    return built


def _hidden_size(encoder: nn.Module, what: str) -> int:
    size = getattr(encoder, "hidden_size", None)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError(f"{what} must have an attribute hidden_size, the width of its features, and has {size!r}.")
    return size


def _plain_config(encoder: nn.Module, what: str) -> dict[str, Any]:
    """The encoder's `config`, empty where it has none.

    Raises:
        UserError: it is not made of plain values, so that no checkpoint could hold it.
    """
    config = getattr(encoder, "config", None) or {}
    try:
        plain = json.loads(json.dumps(config))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{what}: its config must be plain values for JSON, a checkpoint has to hold it: {error}."
        ) from error
    if not isinstance(plain, dict) or plain != config:
        raise UserError(
            f"{what}: its config must be a dict of plain values as JSON has them (no tuples, words as keys), and it is "
            f"{config!r}."
        )
    return plain


def _device(encoder: nn.Module) -> torch.device:
    return next((parameter.device for parameter in encoder.parameters()), torch.get_default_device())


def _tried(encoder: nn.Module, *inputs: Tensor) -> Tensor:
    """What the encoder makes of an input, in evaluation mode and without a random number drawn for good."""
    training = encoder.training
    encoder.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        found: Tensor = encoder(*inputs)
    encoder.train(training)
    return found
