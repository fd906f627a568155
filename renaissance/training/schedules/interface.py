"""What a schedule declares: its name, the settings that it reads, and its formula. No PyTorch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Span:
    """The optimiser steps that a schedule goes over.

    Attributes:
        warmup_steps: the step at which the warm-up is over, and the schedule begins at the full learning rate.
        total_steps: the step at which it comes to its end.
    """

    warmup_steps: int
    total_steps: int

    def progress(self, step: int) -> float:
        """How much of the way from the warm-up's end to the schedule's end is done at `step`: 0 to 1."""
        return (step - self.warmup_steps) / (self.total_steps - self.warmup_steps) if step < self.total_steps else 1.0


@dataclass(frozen=True)
class ScheduleDeclaration:
    """What is known of a schedule.

    Attributes:
        name: what `schedule` calls it.
        reads: the settings that it reads, of those that not every schedule reads.
        factor: what the full learning rate is multiplied by, from the step, which is never one of the warm-up but may
            lie behind the end; the span; and by name the settings that it reads, and `learning_rate`.
    """

    name: str
    reads: frozenset[str]
    factor: Callable[[int, Span, Mapping[str, Any]], float]


def end_factor(options: Mapping[str, Any]) -> float:
    """What the full learning rate is multiplied by at the end: `end_lr` over `learning_rate`."""
    return float(options["end_lr"] / options["learning_rate"])
