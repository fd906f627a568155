"""The Lightning module: one encoder, the tasks on it, their losses and metrics step by step."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from renaissance.checkpoints.checkpoint import ModelDescription, description_entry
from renaissance.checkpoints.migration import ENTRY
from renaissance.data.batches.batch import Batch
from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.data.images.pixels import Pixels
from renaissance.errors import RunError
from renaissance.models.interface import Part, VisionLanguageEncoder
from renaissance.settings.schema import StepSettings
from renaissance.tasks.common.means import Means
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.step_wide import StepWideTask
from renaissance.tasks.common.task import Task
from renaissance.training.draws import BatchDraws
from renaissance.training.evaluations import Evaluations
from renaissance.training.finite import LossWatch, check_weights_finite, gradients_finite, refusal
from renaissance.training.gradient_norm import GradientNorm
from renaissance.training.monitoring import Monitor
from renaissance.training.optimizers.build import build_optimizer
from renaissance.training.optimizers.groups import check_parts, parameter_groups
from renaissance.training.plan import Plan
from renaissance.training.schedules.schedule import LearningRateFactor, Schedule
from renaissance.training.step_wide import StepWideLosses

LogMetrics = Callable[[int, float, Mapping[str, float]], None]
"""Takes in metrics as they come: optimiser step, epoch, and values by name, `<task>/<split>/<metric>`."""

LogPace = Callable[[int, float, float | None], None]
"""Takes in an optimiser step with its learning rate, and its gradient's norm where it has one."""


class TrainingModule(pl.LightningModule):
    """Trains, validates and tests an encoder on tasks.

    Args:
        model: the encoder.
        tasks: the active tasks by name.
        settings: the run's settings.
        monitor: scores a validation.
        plan: its length in whole numbers; None when nothing is trained.
        description: what checkpoints say of the model.
        pixels: the image pipeline's part that runs on the device; None without images.
        log_metrics: takes in the metrics; on processes other than the main one it keeps nothing.
        log_pace: takes the step, learning rate and gradient norm behind each point of the training's curves.
        predictions: takes what tasks predict of a split, as (task, split, rows), in the main process.
        chance: takes what guessing would reach on a split, by metrics' names.
    """

    def __init__(
        self,
        model: VisionLanguageEncoder,
        tasks: Mapping[str, Task],
        settings: StepSettings,
        monitor: Monitor,
        plan: Plan | None,
        description: ModelDescription,
        pixels: Pixels | None,
        log_metrics: LogMetrics,
        log_pace: LogPace = lambda step, learning_rate, gradient_norm: None,
        predictions: Callable[[str, str, list[dict[str, Any]]], None] = lambda task, split, rows: None,
        chance: Callable[[Mapping[str, float]], None] = lambda values: None,
    ) -> None:
        super().__init__()
        self.model = model
        self.tasks = nn.ModuleDict(tasks)
        self.pixels = pixels
        self.settings = settings
        self.plan = plan
        self.description = description
        self.log_metrics = log_metrics
        self.log_pace = log_pace
        self.gradient_norm = GradientNorm()
        self.predictions = predictions
        self.chance = chance
        self.means = Means()  # of the training steps since the last point of the curves
        self.evaluations = Evaluations()
        self.monitor = monitor
        self.watch = LossWatch(settings.max_skipped_steps)
        self.step_wide = StepWideLosses(plan, model) if plan else None
        self.batch_number = 0  # of the next training batch of this process, counted over the whole training
        self.steps_done = 0  # optimiser steps
        self.evaluated: tuple[int, float] | None = None  # the step and epoch that the weights are of, if not the newest
        self.score: float | None = None  # of the newest validation; more is better
        self.validated_step = 0  # the step of the newest validation
        self.tables: dict[str, int] = {}  # the sizes of the tables that a run reads, for its checkpoints
        check_parts(self, self.parts())

    def parts(self) -> list[Part]:
        """The encoder's parts, and each task's head."""
        return [*self.model.parts(), *(part for task in self._tasks().values() for part in task.parts())]

    def _tasks(self) -> Mapping[str, Task]:
        return cast(Mapping[str, Task], self.tasks)

    # Steps

    def _trained(self, batch: Batch) -> Tensor:
        """The weighted sum of the tasks' losses (scalar) on a training batch; their values go to the means.

        The trainer takes the mean over the optimiser step's batches, so that each task's loss becomes its mean over
        all items of the step.
        """
        assert self.plan is not None
        step = self._step(batch, self._draws(self.batch_number))
        total = self._compared(step)
        for name, task in self._tasks().items():
            if isinstance(task, StepWideTask) or not task.takes(batch):
                continue
            outcome = task(step)
            self._note(name, outcome, batch.index)
            loss = outcome.share_of_step(batch.step_items[name]) * self.plan.step_batches
            total = total + self.settings.loss_names[name] * loss
        return total

    def _compared(self, step: Step) -> Tensor:
        """What a training batch adds to the losses that compare all examples of its optimiser step: a scalar."""
        assert self.step_wide is not None
        total = torch.zeros((), device=self.device)
        named = self._tasks().items()
        tasks = {name: task for name, task in named if isinstance(task, StepWideTask) and task.takes(step.batch)}
        if not tasks:
            return total
        outcomes, losses = self.step_wide.of_batch(tasks, step, self._following(step.batch))
        for name, outcome in outcomes.items():
            batches = (step.batch, *step.batch.following)
            self._note(name, outcome, torch.cat([batch.index.to(self.device) for batch in batches]))
        for name, loss in losses.items():
            total = total + self.settings.loss_names[name] * loss
        return total

    def _following(self, batch: Batch) -> Iterator[Step]:
        """The batches that follow in its optimiser step, one at a time on the device, each with its own dropout."""
        for number, following in enumerate(batch.following, start=self.batch_number + 1):
            draws = self._draws(number)
            draws.seed_dropout()
            yield self._step(following.to(self.device, non_blocking=True), draws)

    def _note(self, name: str, outcome: Outcome, index: Tensor) -> None:
        """Keep what came of the training examples `index` (N,): values for the curves, the loss to be looked at."""
        loss = outcome.loss
        if not self.watch.allowed or loss.isfinite():
            self.means.add(name, TRAIN, outcome.values)
        self.watch.note(name, loss, step=self.steps_done + 1, batch=self.batch_number + 1, index=index)

    def _step(self, batch: Batch, draws: BatchDraws) -> Step:
        """A training batch, to be computed."""
        return Step(self.model, batch, self.pixels, draws.mixing(batch), draws.modality_dropout(batch))

    def _draws(self, number: int) -> BatchDraws:
        """Those of a training batch of this process."""
        return BatchDraws(self.settings, number, self.global_rank)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self._draws(self.batch_number).seed_dropout()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._trained(batch)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        assert self.plan is not None
        self.batch_number += 1
        if self.batch_number % self.plan.accumulate:
            return
        if self._is_time_to_look():
            self._check_losses()
        self.steps_done = self.global_step
        if self._is_point(self.steps_done):
            self._emit(self._training_values())
            rate = self.settings.learning_rate * self.learning_rate_factor()(self.steps_done - 1)
            self.log_pace(self.steps_done, rate, self.gradient_norm.value)
        if self.steps_done >= self.plan.total_steps:
            # Training always ends with a validation, also between two of the regular ones.
            self.trainer.val_check_batch = 1

    def _is_point(self, step: int) -> bool:
        """Whether the training's curves have a point at an optimiser step."""
        assert self.plan is not None
        return step >= self.plan.total_steps or step % self.settings.log_interval == 0

    def _is_time_to_look(self) -> bool:
        """Whether to look at the losses: at every step where that costs nothing, else at points of the curves."""
        if self.device.type == "cpu" and self.trainer.world_size == 1:
            return True
        return self.watch.is_full or self.global_step % self.settings.log_interval == 0

    def _check_losses(self) -> None:
        """Stop where a loss was not finite, on all devices together.

        Raises:
            RunError: naming task, step, batch and examples.
        """
        why = self.watch.look()
        if self._agree(bool(why)):
            raise RunError(refusal(why or "The loss of another process is not finite"))

    def _agree(self, here: bool) -> bool:
        """Whether something is so on any device."""
        return bool(self.trainer.strategy.reduce_boolean_decision(here, all=False))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Leave out a step whose loss or gradient is not finite, as far as `max_skipped_steps` goes.

        Without gradients an optimiser changes neither weights nor its own state. Under 16-mixed infinite gradients are
        the scaler's to leave out, as it does all the time, and only losses count.
        """
        if not self.watch.allowed:
            return
        scaled = self.settings.precision == "16-mixed"
        why = self.watch.look()
        if not why and not scaled and not gradients_finite([*self.parameters()]):
            why = "the gradient is not finite"
        if self._agree(bool(why)):
            self.watch.leave_out(why or "the loss of another process is not finite", self.steps_done + 1)
            if not scaled:
                self.zero_grad(set_to_none=True)

    def on_validation_start(self) -> None:
        if self.trainer.state.fn == "fit":
            self._check_losses()
            check_weights_finite(self.named_parameters(), self.steps_done)

    def on_validation_epoch_start(self) -> None:
        self.evaluations.begin(self._tasks())

    def on_test_epoch_start(self) -> None:
        self.evaluations.begin(self._tasks())

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.evaluations.update(dataloader_idx, Step(self.model, batch, self.pixels), self._tasks())

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.evaluations.update(dataloader_idx, Step(self.model, batch, self.pixels), self._tasks())

    def on_validation_epoch_end(self) -> None:
        values = self.evaluations.values(VAL)
        self.chance(self.evaluations.chance(VAL))
        self._emit(values)
        strange = [name for name, value in values.items() if not math.isfinite(value)]
        if any(name.endswith("/loss") for name in strange) and self.trainer.state.fn == "fit":
            # Before `last.ckpt` is written: weights can be ruined and finite.
            raise RunError(refusal(f"{', '.join(strange)} is not finite at step {self.steps_done:,}"))
        if strange and self.trainer.is_global_zero:
            print(f"warning: not finite at step {self.steps_done:,}: {', '.join(strange)}", file=sys.stderr)
        self.score = self.monitor.score(values)
        self.validated_step = self.steps_done

    def on_test_epoch_end(self) -> None:
        for split in self.evaluations.split_names():
            values = self.evaluations.values(split)
            self.chance(self.evaluations.chance(split))
            self._emit(values)
            for task, rows in self.evaluations.predictions(split):
                self.predictions(task, split, rows)

    def _emit(self, values: Mapping[str, float]) -> None:
        step, epoch = self.evaluated or (self.steps_done, self.plan.epoch_of(self.steps_done) if self.plan else 0.0)
        self.log_metrics(step, epoch, values)

    def _training_values(self) -> dict[str, float]:
        """The tasks' metrics on the training steps since they were last asked for, by whole name."""
        means = self.means.take(TRAIN)
        values: dict[str, float] = {}
        for name, task in self._tasks().items():
            prefix = f"{name}/{TRAIN}/"
            own = {key.removeprefix(prefix): mean for key, mean in means.items() if key.startswith(prefix)}
            values |= {prefix + metric: value for metric, value in task.derived(own).items()}
        return values

    # Optimiser

    def learning_rate_factor(self) -> LearningRateFactor:
        """The schedule of this run."""
        assert self.plan is not None
        steps = self.plan.warmup_steps, self.plan.schedule_steps
        return LearningRateFactor.of_settings(*steps, self.settings.model_dump())

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(parameter_groups(self.parts(), self.settings), self.settings)
        optimizer.register_step_post_hook(self._after_optimizer_step)
        schedule = Schedule(optimizer, self.learning_rate_factor())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _after_optimizer_step(self, *_: object) -> None:
        for task in self._tasks().values():
            task.after_optimizer_step()

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # Lightning refuses to clip under a fused optimiser, for which only gradients that are scaled are a reason.
        if self.settings.precision == "16-mixed" and getattr(optimizer, "_step_supports_amp_scaling", False):
            self.gradient_norm.forget()
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val:
            self.gradient_norm.clip(self.parameters(), gradient_clip_val)
        elif self._is_point(self.steps_done + 1):
            self.gradient_norm.look(self.parameters())

    # Checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._check_losses()
        check_weights_finite(self.named_parameters(), self.steps_done)
        checkpoint[ENTRY] = description_entry(self.description)
        checkpoint["epoch"] = int(self.plan.epoch_of(self.steps_done)) if self.plan else 0
        checkpoint["recorder"] = self.means.state()
        checkpoint["validated_step"] = self.validated_step
        checkpoint["monitor"] = self.monitor.name
        checkpoint["skipped_steps"] = self.watch.skipped
        checkpoint["tables"] = self.tables
        checkpoint["plan"] = asdict(self.plan) if self.plan else {}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the position in the training: what follows from the number of optimiser steps."""
        assert self.plan is not None
        step = int(checkpoint["global_step"])
        self.steps_done = step
        self.validated_step = int(checkpoint["validated_step"])
        self.watch.skipped = int(checkpoint.get("skipped_steps", 0))
        self.batch_number = step * self.plan.accumulate
        self.means.load_state(checkpoint["recorder"])
        epoch_loop = self.trainer.fit_loop.epoch_loop
        optimizer_steps = epoch_loop.automatic_optimization.optim_progress.optimizer.step.total
        optimizer_steps.ready = optimizer_steps.completed = step
        # What the trainer counts validations by.
        epoch_loop.batch_progress.total.ready = epoch_loop.batch_progress.total.completed = self.batch_number
