"""How long a run trains and in what steps: batch sizes, accumulation, validation, warm-up, worked out once.

Comes in: what the settings ask for and the numbers of training examples. Goes out: whole numbers that the loader, the
schedule and Lightning's trainer agree on. Training is one stream of batches over all epochs, so the position in the
data is the number of optimiser steps times `accumulate`, and a run resumes from that one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from renaissance.data.batches.order import batches_per_epoch
from renaissance.errors import UserError
from renaissance.settings import Settings


@dataclass(frozen=True)
class Plan:
    """A run in whole numbers.

    Attributes:
        device_batch: examples a device takes at once.
        accumulate: batches a device takes before an optimiser step.
        world_size: devices.
        epoch_batches: batches a device takes in an epoch, whole optimiser steps. Where tasks read different data,
            an epoch ends when the data that take longest, with their share of the steps, were seen once.
        total_steps: optimiser steps of the whole training.
        validate_every: optimiser steps from one validation to the next.
        warmup_steps: optimiser steps until the full learning rate.
        schedule_steps: the optimiser step at which the learning rate's schedule comes to its end.
    """

    device_batch: int
    accumulate: int
    world_size: int
    epoch_batches: int
    total_steps: int
    validate_every: int
    warmup_steps: int
    schedule_steps: int

    @property
    def effective_batch(self) -> int:
        """Examples an optimiser step sees."""
        return self.device_batch * self.step_batches

    @property
    def step_batches(self) -> int:
        """Batches of an optimiser step, over all devices."""
        return self.accumulate * self.world_size

    @property
    def total_batches(self) -> int:
        """Batches a device takes in the whole training."""
        return self.total_steps * self.accumulate

    def epoch_of(self, step: int) -> float:
        """How many times the data were seen after `step` optimiser steps."""
        return step * self.accumulate / self.epoch_batches


@dataclass(frozen=True)
class AskedLength:
    """How long a training is asked to be and in what steps, by the settings of these names.

    Attributes:
        batch_size: examples an optimiser step.
        per_gpu_batchsize: examples a device takes at once.
        max_epoch: times the data are seen; None for no such limit.
        max_steps: optimiser steps; None for no such limit.
        val_check_interval: optimiser steps from one validation to the next, or a fraction of an epoch.
        warmup_steps: optimiser steps until the full learning rate, or a fraction of the training.
        fast_dev_run: one step only.
    """

    batch_size: int
    per_gpu_batchsize: int
    max_epoch: int | None
    max_steps: int | None
    val_check_interval: int | float
    warmup_steps: int | float
    fast_dev_run: bool

    @classmethod
    def of_settings(cls, settings: Settings) -> AskedLength:
        """What a run's settings ask for."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class TrainingData:
    """A training set.

    Attributes:
        examples: how many an epoch has.
        share: of the optimiser steps, beside the shares of others.
    """

    examples: int
    share: float = 1.0


def make_plan(
    asked: AskedLength, data: Sequence[TrainingData], world_size: int, schedule_steps: int | None = None
) -> tuple[Plan, list[str]]:
    """The plan of a training, and remarks on where it departs from what was asked for.

    Args:
        asked: how long it is to be.
        data: its training sets, whose steps take turns.
        world_size: devices.
        schedule_steps: where the learning rate's schedule ends; None for the end of the training.

    Raises:
        UserError: if there is no example to train on.
    """
    examples = min(one.examples for one in data)
    if examples < world_size:
        raise UserError(f"{examples} training examples are too few for {world_size} device(s).")
    remarks = []
    device_batch = min(asked.per_gpu_batchsize, examples // world_size)
    wanted = max(1, asked.batch_size // (asked.per_gpu_batchsize * world_size))
    accumulate = min(wanted, batches_per_epoch(examples, device_batch, world_size))
    epoch_batches = _epoch_batches(data, device_batch, world_size, accumulate)
    total_steps = _total_steps(asked, epoch_batches, accumulate)
    schedule_steps = schedule_steps or total_steps
    plan = Plan(
        device_batch=device_batch,
        accumulate=accumulate,
        world_size=world_size,
        epoch_batches=epoch_batches,
        total_steps=total_steps,
        validate_every=_validate_every(asked, epoch_batches, accumulate),
        warmup_steps=_warmup_steps(asked, schedule_steps),
        schedule_steps=schedule_steps,
    )
    if plan.effective_batch != asked.batch_size:
        remarks.append(
            f"batch_size={asked.batch_size} is not reached: a step sees {plan.effective_batch} examples "
            f"({plan.device_batch} a device × {plan.accumulate} accumulated × {plan.world_size} device(s)"
            + (f"; the training set has {examples})" if examples < asked.batch_size else ")")
        )
    if plan.warmup_steps >= total_steps > 1:
        remarks.append(
            f"warmup_steps={asked.warmup_steps} is not over when training ends at step {total_steps}: "
            "the full learning rate is never reached. A fraction, such as warmup_steps=0.1, follows the length."
        )
    return plan, remarks


def _epoch_batches(data: Sequence[TrainingData], device_batch: int, world_size: int, accumulate: int) -> int:
    """Batches until each training set was seen once, in whole steps."""
    whole = sum(one.share for one in data)
    steps = (
        batches_per_epoch(one.examples, device_batch, world_size, accumulate) // accumulate * whole / one.share
        for one in data
    )
    return round(max(steps)) * accumulate


def _total_steps(asked: AskedLength, epoch_batches: int, accumulate: int) -> int:
    if asked.fast_dev_run:
        return 1
    limits = []
    if asked.max_steps is not None:
        limits.append(asked.max_steps)
    if asked.max_epoch is not None:
        limits.append(max(1, asked.max_epoch * epoch_batches // accumulate))
    return min(limits)


def _validate_every(asked: AskedLength, epoch_batches: int, accumulate: int) -> int:
    interval = asked.val_check_interval
    if isinstance(interval, int):
        return interval
    return max(1, round(interval * epoch_batches / accumulate))


def _warmup_steps(asked: AskedLength, total_steps: int) -> int:
    warmup = asked.warmup_steps
    return warmup if isinstance(warmup, int) else round(warmup * total_steps)
