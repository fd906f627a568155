"""The rows of `pace.csv`, made at each point of a training's curves."""

from __future__ import annotations

from collections.abc import Callable

from renaissance.tracking.pace import Pace
from renaissance.training.callbacks.progress import Throughput
from renaissance.training.plan import Plan


class PaceLog:
    """Makes a row of `pace.csv` at each point of the training's curves.

    Args:
        plan: the training in whole numbers.
        throughput: counts batches and seconds.
        take: takes the rows.
    """

    def __init__(self, plan: Plan, throughput: Throughput, take: Callable[[Pace], None]) -> None:
        self._plan = plan
        self._throughput = throughput
        self._take = take

    def __call__(self, step: int, learning_rate: float, gradient_norm: float | None) -> None:
        """Tell of the step that was just taken; every step sees equally many examples."""
        plan, throughput = self._plan, self._throughput
        self._take(
            Pace(
                step=step,
                epoch=plan.epoch_of(step),
                examples=step * plan.effective_batch,
                seconds=throughput.spent.wall_seconds,
                learning_rate=learning_rate,
                gradient_norm=gradient_norm,
                examples_per_second=throughput.since_last_asked(),
            )
        )
