"""What a training step receives: token ids, pixels, labels and what the tasks drew for them.

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
    """

    ids: Tensor
    mask: Tensor
    words: Tensor

    def map(self, function: Callable[[Tensor], Tensor]) -> Tokens:
        """The same tokens with `function` applied to each tensor."""
        return Tokens(function(self.ids), function(self.mask), function(self.words))

    def with_ids(self, ids: Tensor) -> Tokens:
        """The same mask and words over other token numbers (B, L)."""
        return Tokens(ids, self.mask, self.words)


@dataclass
class Batch:
    """B examples, ready for a device.

    Attributes:
        index: (B,) long, each example's number in the joined data set of its split.
        image_key: (B,) long, equal for two examples exactly when they are of one row, and so of one image; None
            without images.
        pixels: (B + E, 3, H, W) uint8; the E further images were drawn by tasks (see `drawn`). None without images.
        tokens: B + F texts; the F further texts were drawn by tasks. None without text.
        label: (B,) long, the class of each example; None where the data has none.
        drawn: per task name, the tensors that the task's draw made for this batch.
        step_items: per task name, how many items its loss is over in the whole optimiser step, all its batches and
            devices together: scalars. Training fills it in.
        examples: B, the number of examples (also when E or F is not 0).
    """

    index: Tensor
    image_key: Tensor | None = None
    pixels: Tensor | None = None
    tokens: Tokens | None = None
    label: Tensor | None = None
    drawn: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    step_items: dict[str, Tensor] = field(default_factory=dict)

    @property
    def examples(self) -> int:
        return len(self.index)

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The same batch with `function` applied to every tensor."""

        def optional(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else function(tensor)

        return Batch(
            index=function(self.index),
            image_key=optional(self.image_key),
            pixels=optional(self.pixels),
            tokens=None if self.tokens is None else self.tokens.map(function),
            label=optional(self.label),
            drawn={
                task: {name: function(tensor) for name, tensor in tensors.items()}
                for task, tensors in self.drawn.items()
            },
            step_items={task: function(count) for task, count in self.step_items.items()},
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch on another device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory, for copies that overlap with computing (PyTorch's loader calls this)."""
        return self.map(Tensor.pin_memory)
