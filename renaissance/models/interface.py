"""The three calls that every architecture answers, so that a task never asks which one it has.

Shapes: B examples, L text tokens, P image positions (patches + 1), D width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.data.images.transform import ImageStatistics
from renaissance.models.image_positions import ImagePooling, ImagePositions
from renaissance.models.layers.heads import mean_over
from renaissance.models.pretrained.joint_space import JointSpace
from renaissance.models.pretrained.sources import config_to_dict

Output = Literal["text", "image", "pooled"]
Role = Literal["tower", "cross_modal", "head"]
ALL_OUTPUTS: frozenset[Output] = frozenset(("text", "image", "pooled"))


@dataclass
class Features:
    """What an encoder made of one modality.

    Attributes:
        hidden: (B, N, D) one vector a position (N is L or P).
        mask: (B, N) bool, True where there is something, False at padding.
    """

    hidden: Tensor
    mask: Tensor

    def select(self, rows: Tensor) -> Features:
        """The features of the examples `rows` (B',) long, in that order, without computing them again."""
        return Features(self.hidden[rows], self.mask[rows])


@dataclass
class Fused:
    """What the cross-modal part made of a text, an image, or both. What was not asked for is None.

    Attributes:
        text: (B, L, D) text positions.
        image: (B, P, D) image positions.
        pooled: (B, `pooled_size`) one vector an example.
    """

    text: Tensor | None = None
    image: Tensor | None = None
    pooled: Tensor | None = None


@dataclass(frozen=True)
class Sides:
    """What of a model a task uses, or the tasks of a run together.

    Attributes:
        text: the text side.
        image: the image side.
        fused: what lets the two see each other (a fuser, a pooler of both).
        decoder: a text decoder on top.
        outputs: what of pairs that have seen each other is read.
        pooled: whether a side alone becomes one vector.
    """

    text: bool = False
    image: bool = False
    fused: bool = False
    decoder: bool = False
    outputs: frozenset[Output] = frozenset()
    pooled: bool = False

    def __or__(self, other: Sides) -> Sides:
        return Sides(**{name: value | getattr(other, name) for name, value in vars(self).items()})


@runtime_checkable
class Configured(Protocol):
    """A part that says itself what it is built from again."""

    def saved_config(self) -> dict[str, Any]:
        """Plain values, fit for JSON and for a checkpoint."""


@dataclass(frozen=True)
class Part:
    """A named part of the model: the unit of freezing, of learning rates, of transfer and of the run's table."""

    name: str
    module: nn.Module
    role: Role
    frozen: bool = False

    def config(self) -> dict[str, Any] | None:
        """What its encoder or decoder is built from again, in plain values; None where settings say it all."""
        if isinstance(self.module, Configured):
            return self.module.saved_config()
        model = self.hugging_face_model()
        return config_to_dict(model.config) if model is not None else None

    def hugging_face_model(self) -> PreTrainedModel | None:
        """The model of transformers that this part is made around; None where it is none."""
        return next((child for child in self.module.children() if isinstance(child, PreTrainedModel)), None)


class VisionLanguageEncoder(nn.Module, ABC):
    """A one-tower, two-tower or late-fusion encoder.

    Attributes:
        pooled_size: width of `Fused.pooled` when both modalities are given.
        hidden_size: width D of `Fused.text` and `Fused.image` when both modalities are given; 0 where their positions
            do not see each other.
        text_size: width of `Fused.text` / `Fused.pooled` when only a text is given (0 without a text side).
        image_size: width of `Fused.image` / `Fused.pooled` when only an image is given (0 without an image side).
        image_statistics: what the pretrained image encoder's processor expects; None where there is none, so that
            the transform key decides, and where the model comes from a checkpoint, which keeps them itself.
        pool_text: one vector a text (B, D) of its features (B, L, D) and their mask (B, L), for texts alone.
        image_positions: what the positions of an image stand for; None without an image side.
        image_pooling: how an image alone becomes one vector.
        pool_whole_image: the way of a whole CLIP's or SigLIP's image encoder for that; None for `image_pooling`'s.
        joint_space: where the texts and images of a whole CLIP or SigLIP meet; None of other models.
        decoder: writes texts about what the encoders made of images and texts (`decoders/interface.py`); None where no
            task writes.
        notes: what building did that the user should know, such as resized position embeddings; one line each.
    """

    pooled_size: int
    hidden_size: int
    text_size: int
    image_size: int
    image_statistics: ImageStatistics | None
    image_positions: ImagePositions | None

    def __init__(self) -> None:
        super().__init__()
        self.image_statistics = None
        self.image_positions = None
        self.image_pooling: ImagePooling = "cls"
        self.pool_text: Callable[[Tensor, Tensor], Tensor] = mean_over
        self.pool_whole_image: Callable[[Tensor], Tensor] | None = None
        self.joint_space: JointSpace | None = None
        self.notes: list[str] = []
        self._frozen: frozenset[str] = frozenset()
        self._frozen_modules: list[nn.Module] = []  # within parts that are trained otherwise
        self.decoder: nn.Module | None = None
        self._decoder_role: Role = "head"

    @abstractmethod
    def encode_text(self, tokens: Tokens) -> Features:
        """Text features (B, L, D): a two-tower's text tower, a one-tower's embeddings."""

    @abstractmethod
    def encode_image(self, pixels: Tensor) -> Features:
        """Image features (B, P, D) of normalised pixels (B, 3, H, W)."""

    @abstractmethod
    def fuse(self, text: Features | None, image: Features | None, outputs: frozenset[Output] = ALL_OUTPUTS) -> Fused:
        """Let the modalities see each other; only `outputs` are computed.

        With one modality None this is the uni-modal encoder: a two-tower returns its tower's features
        (`pool_text` or `pool_image` of them as `pooled`), a one-tower runs its transformer over that modality alone.
        """

    def pool_image(self, hidden: Tensor) -> Tensor:
        """One vector an image (B, D) of its positions (B, P, D), as `image_pooling` says, for images alone."""
        if self.pool_whole_image is not None:
            return self.pool_whole_image(hidden)
        assert self.image_positions is not None
        return self.image_positions.pool(hidden, self.image_pooling)

    def unreached(self, sides: Sides) -> list[nn.Module | nn.Parameter]:
        """What of the model no loss of the tasks that use these sides depends on, so that it never gets a gradient.

        It is built all the same, for another task's run that starts from this one's weights.
        """
        return []

    def leave_unreached(self, sides: Sides) -> None:
        """No gradients for what a run's tasks do not reach."""
        for unreached in self.unreached(sides):
            unreached.requires_grad_(False)

    @abstractmethod
    def encoder_parts(self) -> dict[str, Role]:
        """The role of each part of the encoder, by its attribute; those that are not there are None."""

    def parts(self) -> list[Part]:
        """Every part, the decoder last, each parameter in exactly one of them."""
        roles = {**self.encoder_parts(), "decoder": self._decoder_role}
        modules = {name: getattr(self, name) for name in roles}
        return [
            Part(name, module, roles[name], frozen=name in self._frozen)
            for name, module in modules.items()
            if module is not None
        ]

    def encoder_configs(self) -> dict[str, Any]:
        """What `build_model` needs to build the same model with nothing fetched: plain values, fit for JSON, by part.

        They are the configurations of the parts that are Hugging Face models or that plug-ins define.
        """
        configs = {part.name: part.config() for part in self.parts()}
        return {name: config for name, config in configs.items() if config is not None}

    def add_decoder(self, decoder: nn.Module, role: Role, frozen: bool) -> None:
        """Put a decoder on top.

        Args:
            decoder: the decoder, frozen where it is to be.
            role: by which its learning rate is chosen.
            frozen: it stays in evaluation mode.
        """
        self.decoder, self._decoder_role = decoder, role
        if frozen:
            self._frozen |= {"decoder"}
            self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for module in self.frozen_modules():
            module.eval()
        return self

    def frozen_modules(self) -> list[nn.Module]:
        """The parts that are frozen, and the modules that are within others."""
        return [*(getattr(self, name) for name in sorted(self._frozen)), *self._frozen_modules]

    def freeze(self, names: frozenset[str]) -> None:
        """No gradients for these parts, and evaluation mode from now on. Parts that are not there are skipped."""
        self._frozen = frozenset(name for name in names if getattr(self, name, None) is not None)
        for name in self._frozen:
            getattr(self, name).requires_grad_(False)
        self.train(self.training)

    def freeze_modules(self, modules: Iterable[nn.Module]) -> None:
        """No gradients for modules within parts, an encoder's lowest layers for instance, and evaluation mode."""
        self._frozen_modules += modules
        for module in self._frozen_modules:
            module.requires_grad_(False)
        self.train(self.training)

    def gradients_unless_frozen(self, name: str) -> AbstractContextManager[object]:
        """A context that keeps nothing for the backward pass when the part is frozen."""
        return torch.no_grad() if name in self._frozen else nullcontext()
