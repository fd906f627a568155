"""Losses, gradients and weights that are no longer finite: the run stops and says where, or leaves single steps out.

Losses are kept as they come and looked at together, at points where the processor is waited for anyway, so watching
costs a GPU nothing between them. Whatever the moment, no checkpoint is written with weights that are not finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from renaissance.errors import RunError

MOST_WAITING = 64  # losses that are kept without a look at them
MOST_EXAMPLES = 16  # that a message names


@dataclass(frozen=True)
class _Seen:
    """The loss (scalar) of a task in a batch of the examples `index` (B,), in an optimiser step."""

    task: str
    loss: Tensor
    step: int
    batch: int
    index: Tensor

    def __str__(self) -> str:
        examples = self.index.tolist()
        more = ", …" if len(examples) > MOST_EXAMPLES else ""
        return (
            f"{self.task}: the loss is {float(self.loss)} at step {self.step:,}, in batch {self.batch:,} (training "
            f"examples {', '.join(map(str, examples[:MOST_EXAMPLES]))}{more})"
        )


class LossWatch:
    """The losses of training since the last look.

    Args:
        allowed: optimiser steps of the run that may be left out.

    Attributes:
        skipped: optimiser steps that were left out.
    """

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.skipped = 0
        self._seen: list[_Seen] = []

    @property
    def is_full(self) -> bool:
        return len(self._seen) >= MOST_WAITING

    def note(self, task: str, loss: Tensor, *, step: int, batch: int, index: Tensor) -> None:
        """Keep a task's loss (scalar) in a batch of the examples `index` (B,)."""
        self._seen.append(_Seen(task, loss.detach(), step, batch, index))

    def look(self) -> str:
        """The first loss since the last look that is not finite, in words; empty where all are."""
        seen, self._seen = self._seen, []
        if not seen:
            return ""
        finite = torch.stack([one.loss.float() for one in seen]).isfinite().tolist()
        return next((str(one) for one, is_finite in zip(seen, finite, strict=True) if not is_finite), "")

    def leave_out(self, why: str, step: int) -> None:
        """Count an optimiser step that is left out, and say so.

        Raises:
            RunError: there were as many as may be.
        """
        if self.skipped >= self.allowed:
            raise RunError(f"{refusal(why)} max_skipped_steps={self.allowed} were left out before.")
        self.skipped += 1
        print(f"step {step:,} is left out, {self.skipped} of at most {self.allowed}: {why}")


def refusal(why: str) -> str:
    """The message that ends a training whose loss or weights are not finite."""
    return (
        f"{why}. Training cannot go on: lower learning_rate, lengthen warmup_steps, set gradient_clip_val, or let "
        "max_skipped_steps leave out such steps."
    )


def check_weights_finite(named: Iterable[tuple[str, nn.Parameter]], step: int) -> None:
    """Check the weights before they are validated or written; this waits for the device once.

    Raises:
        RunError: naming the first that is not finite.
    """
    names, finite = [], []
    for name, weight in named:
        if weight.requires_grad:
            names.append(name)
            finite.append(_own(weight.detach()).isfinite().all())
    if finite and not torch.stack(finite).all():
        wrong = names[torch.stack(finite).tolist().index(False)]
        raise RunError(refusal(f"{wrong} is not finite after step {step:,}: a gradient was infinite or not a number"))


def gradients_finite(parameters: Sequence[nn.Parameter]) -> bool:
    """Whether every gradient is finite; this waits for the device."""
    return math.isfinite(float(gradient_norm(parameters)))


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    """The norm (scalar) of all gradients together, over all devices that share them."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    kinds = [[one for one in gradients if isinstance(one, DTensor) == shared] for shared in (False, True)]
    norms = [torch.nn.utils.get_total_norm(kind) for kind in kinds if kind]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    return torch.linalg.vector_norm(torch.stack(whole)) if len(whole) > 1 else whole[0] if whole else torch.zeros(())


def clip_gradients(parameters: Sequence[nn.Parameter], most: float) -> None:
    """Scale all gradients down so that their norm is `most`, where it is more."""
    norm = gradient_norm(parameters)
    for shared in (False, True):
        kind = [one for one in parameters if isinstance(one.grad, DTensor) == shared]
        torch.nn.utils.clip_grads_with_norm_(kind, most, norm)


def _own(tensor: Tensor) -> Tensor:
    """What this device has of a tensor that devices may share."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
