"""How the learning rate moves: a linear warm-up, then a polynomial or a cosine decay to `end_lr`.

The formulas are those of transformers' `get_polynomial_decay_schedule_with_warmup` and
`get_cosine_schedule_with_warmup`, so published recipes can be repeated:
https://huggingface.co/docs/transformers/main_classes/optimizer_schedules
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch.optim.lr_scheduler import LambdaLR


@dataclass(frozen=True)
class LearningRateFactor:
    """What every group's learning rate is multiplied by at a step.

    Attributes:
        warmup_steps: steps of the linear warm-up from 0.
        total_steps: the step at which the end is reached.
        decay_power: the exponent of the polynomial decay, or "cosine".
        end_factor: the factor at the end, `end_lr / learning_rate`.
    """

    warmup_steps: int
    total_steps: int
    decay_power: float | Literal["cosine"]
    end_factor: float

    def __call__(self, step: int) -> float:
        """The factor at optimiser step `step`, counted from 0."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        if step >= self.total_steps:
            return self.end_factor
        progress = (step - self.warmup_steps) / (self.total_steps - self.warmup_steps)
        if self.decay_power == "cosine":
            remaining = 0.5 * (1.0 + math.cos(math.pi * progress))
        else:
            remaining = (1.0 - progress) ** self.decay_power
        return self.end_factor + (1.0 - self.end_factor) * remaining


class Schedule(LambdaLR):
    """Multiplies the full learning rate of each of an optimiser's groups by a factor of the step.

    A state that is loaded says at which step the schedule is. Full rates and factor are those it was made with.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on at the step of a saved state."""
        self.last_epoch = state_dict["last_epoch"]
        self._step_count = state_dict["_step_count"]
        self._last_lr = [
            base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)
        ]
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate
