"""Half a cosine wave from the full learning rate to `end_lr`, once or, with warm restarts, `cosine_cycles` times.

All cycles are equally long; each begins at the full rate again (SGDR, Loshchilov and Hutter 2017,
https://arxiv.org/abs/1608.03983).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from renaissance.training.schedules.interface import ScheduleDeclaration, Span, end_factor


def factor(step: int, span: Span, options: Mapping[str, Any]) -> float:
    """The factor at a step."""
    end = end_factor(options)
    if step >= span.total_steps:
        return end
    # Whole numbers as long as it goes: 3 times 0.1 / 0.3 would be just short of a restart.
    done, length = step - span.warmup_steps, span.total_steps - span.warmup_steps
    progress = done * options["cosine_cycles"] % length / length
    return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * progress))


SCHEDULE = ScheduleDeclaration("cosine", frozenset({"cosine_cycles", "end_lr"}), factor)
