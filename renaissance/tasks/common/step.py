"""One step's batch together with the features that the tasks have computed of it so far.

Every task of a step asks here, so an encoder runs once for each distinct input however many tasks use it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.models.fusion.mixing import Mixing
from renaissance.models.fusion.modality_dropout import ModalityDropout
from renaissance.models.interface import ALL_OUTPUTS, Features, Fused, Output, VisionLanguageEncoder
from renaissance.tasks.common.joint_features import JointFeatures


class Step:
    """A batch on the device, its encoder, and the encoder's features of it.

    Args:
        model: the encoder.
        batch: B examples.
        to_pixels: makes of the batch's uint8 pixels what the encoder takes, (N, 3, H, W) float; None without images.
        mixing: how its examples are mixed; None where they are not.
        dropout: which examples lose a modality; None where none does.

    Attributes:
        joint: its examples in a joint space; None until a task has brought them there.
    """

    def __init__(
        self,
        model: VisionLanguageEncoder,
        batch: Batch,
        to_pixels: Callable[[Batch], Tensor] | None,
        mixing: Mixing | None = None,
        dropout: ModalityDropout | None = None,
    ) -> None:
        self.model = model
        self.batch = batch
        self._to_pixels = to_pixels
        self._mixing = mixing
        self._dropout = dropout
        self.joint: JointFeatures | None = None

    @cached_property
    def all_images(self) -> Features:
        """Features (B + E, P, D) of every image in the batch, the ones that collates fetched included."""
        assert self._to_pixels is not None
        pixels = self._to_pixels(self.batch)
        return self.model.encode_image(self._mixing.mix(pixels) if self._mixing else pixels)

    @cached_property
    def all_texts(self) -> Features:
        """Features (B + F, L, D) of every text in the batch, the ones that collates fetched included."""
        assert self.batch.tokens is not None
        if self._mixing:
            return self._mixing.encode_text(self.model, self.batch.tokens)
        return self.model.encode_text(self.batch.tokens)

    @cached_property
    def image(self) -> Features:
        """Features (B, P, D) of the examples' own images."""
        return self._own(self.all_images)

    @cached_property
    def text(self) -> Features:
        """Features (B, L, D) of the examples' own texts."""
        return self._own(self.all_texts)

    def encode_text(self, tokens: Tokens) -> Features:
        """Features (B, L, D) of other texts, masked ones for instance."""
        return self.model.encode_text(tokens)

    def fuse(
        self,
        text: Features | None,
        image: Features | None,
        outputs: frozenset[Output] = ALL_OUTPUTS,
        example: Tensor | None = None,
    ) -> Fused:
        """The model's `fuse` for N pairs, some of which may lose a modality in training (see `kept`)."""
        return self.model.fuse(*self.kept(text, image, example), outputs)

    def kept(
        self, text: Features | None, image: Features | None, example: Tensor | None = None
    ) -> tuple[Features | None, Features | None]:
        """Pairs as they are, or in training, under modality dropout, with zeros for what their examples lose.

        Args:
            text: N texts.
            image: N images.
            example: (N,) long, the example that each pair is of; None where there is one pair an example, N is B.
        """
        if self._dropout is None or text is None or image is None:
            return text, image
        dropout = self._dropout if example is None else self._dropout.of_pairs(example)
        return dropout.apply(text, image)

    def of_targets(self, target: Tensor, measure: Callable[[Tensor], Tensor]) -> Tensor:
        """What `measure` gives for targets (B, ...); of mixed examples, for the targets of both, in their shares."""
        mixing = self._mixing
        if mixing is None:
            return measure(target)
        return mixing.weight * measure(target) + (1 - mixing.weight) * measure(target[mixing.partner])

    def _own(self, features: Features) -> Features:
        examples = self.batch.examples
        if features.hidden.shape[0] == examples:
            return features
        return features.select(torch.arange(examples, device=features.hidden.device))


def pooled(step: Step) -> Tensor:
    """One vector an example (B, D): its image's or its text's features, pooled as in training on these alone.

    Args:
        step: B examples that have an image or a text, not both.
    """
    text, image = (step.text, None) if step.batch.tokens is not None else (None, step.image)
    vectors = step.fuse(text, image, outputs=frozenset(("pooled",))).pooled
    assert vectors is not None
    return vectors
