"""Dropout that does not hold up a training step on the CPU.

PyTorch's draws a number for every element, one after the other: in the cross-modal layers of a small model that
is a sixteenth of the whole step. Sixteen random bits an element are enough and cost a quarter. On other devices
PyTorch's own runs, which draws in parallel there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 2**16


class Dropout(nn.Module):
    """Sets a share of the elements to 0 in training and scales the rest so that the mean stays.

    Args:
        rate: the share; on the CPU it is rounded to a multiple of 1 / 65,536, and the scale follows exactly.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, hidden: Tensor) -> Tensor:
        """Any shape to the same shape."""
        dropped = round(self.rate * _LEVELS)
        if not self.training or not dropped:
            return hidden
        if hidden.device.type != "cpu" or dropped == _LEVELS:
            return F.dropout(hidden, self.rate)
        result: Tensor = _CpuDropout.apply(hidden, dropped)
        return result

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


class _CpuDropout(torch.autograd.Function):
    """Dropout with 16 random bits an element; the backward pass keeps one byte an element."""

    @staticmethod
    def forward(context: Any, hidden: Tensor, dropped: int) -> Tensor:
        count = hidden.numel()
        words = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
        kept = (words.view(torch.int16)[:count] >= dropped - _LEVELS // 2).view(hidden.shape)
        context.save_for_backward(kept)
        context.scale = _LEVELS / (_LEVELS - dropped)
        return hidden.mul(kept).mul_(context.scale)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (kept,) = context.saved_tensors
        return gradients[0].mul(kept).mul_(context.scale), None
