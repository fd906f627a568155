"""What a training step receives: token ids, pixels, and the tensors that each task's collate made.

Shapes: B examples, L text tokens, H and W the image's height and width in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Tokens:
    """Token ids of B texts, padded to the longest of them.

    Attributes:
        ids: (B, L) long, token numbers.
        mask: (B, L) bool, True at tokens, False at padding.
        words: (B, L) long, the number of the word that a token belongs to; -1 at special tokens and padding.
        segments: (B, L) long, 0 in the first and 1 in the second of two texts that are read together; None where
            texts come alone.
    """

    ids: Tensor
    mask: Tensor
    words: Tensor
    segments: Tensor | None = None

    def map(self, function: Callable[[Tensor], Tensor]) -> Tokens:
        """The same tokens with `function` applied to each tensor."""
        segments = None if self.segments is None else function(self.segments)
        return Tokens(function(self.ids), function(self.mask), function(self.words), segments)

    def with_ids(self, ids: Tensor) -> Tokens:
        """The same mask, words and segments over other token numbers (B, L)."""
        return Tokens(ids, self.mask, self.words, self.segments)


@dataclass
class Batch:
    """B examples of one schema, ready for a device.

    Attributes:
        index: (B,) long, each example's number in the joined data set of its split.
        schema: the name of the examples' schema, by which the tasks that take the batch are known.
        row: (B,) long, equal for two examples exactly when they are of one row, and so of one image.
        pixels: (B + E, 3, H, W) uint8: the examples' own images, then E that collates fetched. None without images.
        tokens: B + F texts: the examples' own, then F that collates fetched. None without text.
        collated: per task, the tensors by name that its collate made.
        randaugment: the operations of RandAugment for each image, by name; empty without RandAugment.
        step_items: per task name, how many items its loss is over in the whole optimiser step, all its batches and
            devices together: scalars. Training fills it in.
        following: of the first batch of a step whose examples are all compared with each other, the other ones that
            this device takes in the step; they stay where they are until their turn comes. Training fills it in.
        examples: B, the number of examples (also when E or F is not 0).
    """

    index: Tensor
    schema: str = ""
    row: Tensor | None = None
    pixels: Tensor | None = None
    tokens: Tokens | None = None
    collated: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    randaugment: dict[str, Tensor] = field(default_factory=dict)
    step_items: dict[str, Tensor] = field(default_factory=dict)
    following: tuple[Batch, ...] = ()

    @property
    def examples(self) -> int:
        return self.index.shape[0]  # not len, which export to ONNX would take for a constant

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch with `function` applied to every tensor of its own."""

        def optional(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else function(tensor)

        def each(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: function(tensor) for name, tensor in tensors.items()}

        return Batch(
            index=function(self.index),
            schema=self.schema,
            row=optional(self.row),
            pixels=optional(self.pixels),
            tokens=None if self.tokens is None else self.tokens.map(function),
            collated={task: each(tensors) for task, tensors in self.collated.items()},
            randaugment=each(self.randaugment),
            step_items=each(self.step_items),
            following=self.following,
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, for copies that overlap with computing (PyTorch's loader calls this)."""
        return self.map(Tensor.pin_memory)
