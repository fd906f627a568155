"""How the learning rate moves: a linear warm-up, then the schedule that `schedule` names.

Comes in: where warm-up and schedule end, and the settings. Goes out: the factor of each step, and PyTorch's schedule
that multiplies an optimiser's rates by it. A factor follows from the number of the step alone, so a resumed run goes on
exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim.lr_scheduler import LambdaLR

from renaissance.training.schedules.interface import Span
from renaissance.training.schedules.registry import declared_schedule


@dataclass(frozen=True)
class LearningRateFactor:
    """What every group's learning rate is multiplied by at a step.

    All of it is plain values, for checkpoints hold what a PyTorch schedule is made of.

    Attributes:
        warmup_steps: steps of the linear warm-up from 0.
        total_steps: the step at which the end is reached.
        schedule: the schedule's name.
        options: by name the settings that it reads, and `learning_rate`.
    """

    warmup_steps: int
    total_steps: int
    schedule: str
    options: Mapping[str, Any]

    @classmethod
    def of_settings(cls, warmup_steps: int, total_steps: int, settings: Mapping[str, Any]) -> LearningRateFactor:
        """The factor that a run's settings, by name, ask for."""
        name = settings["schedule"]
        reads = {*declared_schedule(name).reads, "learning_rate"}
        return cls(warmup_steps, total_steps, name, {setting: settings[setting] for setting in sorted(reads)})

    def __call__(self, step: int) -> float:
        """The factor at optimiser step `step`, counted from 0."""
        if step < self.warmup_steps:
            return step / self.warmup_steps
        return declared_schedule(self.schedule).factor(step, Span(self.warmup_steps, self.total_steps), self.options)


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
