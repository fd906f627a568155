"""What a person sees while a run goes on: progress bars on a terminal, how fast it goes and how long it still takes."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from renaissance.checkpoints.checkpoint import Spent
from renaissance.training.memory import peak_memory_bytes
from renaissance.training.module import TrainingModule
from renaissance.training.plan import Plan


def duration(seconds: float) -> str:
    """A length of time in words, to two units at most: `42 s`, `3 min`, `1 h 20 min`, `2 d 4 h`."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, days = minutes // 60, round(seconds / 3600) // 24
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if not days else f"{days} d {round(seconds / 3600) % 24} h"


class Throughput(pl.Callback):
    """Counts the examples trained on and the seconds that took: without validation, and without the first batch.

    What a run has taken is part of every checkpoint, so a resumed run counts on.

    Args:
        plan: how the data are cut into steps.
        started: when this leg of the run started, in seconds since the epoch.
        before: what the run had taken then.
    """

    def __init__(self, plan: Plan, started: float, before: Spent) -> None:
        self._plan = plan
        self._started = started
        self._before = before
        self._last: float | None = None
        self.seconds = before.training_seconds
        self.batches = before.batches
        self._asked_at = self.seconds, self.batches

    @property
    def spent(self) -> Spent:
        """What the run has taken so far."""
        wall_seconds = self._before.wall_seconds + time.time() - self._started
        memory = max(self._before.peak_memory_bytes, peak_memory_bytes())
        return Spent(wall_seconds, self.seconds, self.batches, memory)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["spent"] = asdict(self.spent)

    @property
    def examples_per_second(self) -> float | None:
        """Training examples a second over all devices; None where fewer than two batches were timed."""
        if not self.seconds:
            return None
        return self.batches * self._plan.device_batch * self._plan.world_size / self.seconds

    def since_last_asked(self) -> float | None:
        """Training examples a second over all devices since this was last asked; None where no batch was timed."""
        (seconds, batches), self._asked_at = self._asked_at, (self.seconds, self.batches)
        if self.seconds <= seconds:
            return None
        return (self.batches - batches) * self._plan.device_batch * self._plan.world_size / (self.seconds - seconds)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.seconds += now - self._last
            self.batches += 1
        self._last = now

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._last = time.perf_counter()


class ProgressBars(pl.Callback):
    """Progress bars of training, validation and test, on a terminal alone; elsewhere they are not drawn.

    Args:
        plan: the training in whole numbers; None when nothing is trained.
        throughput: counts how fast it goes.
    """

    def __init__(self, plan: Plan | None, throughput: Throughput | None = None) -> None:
        self._plan = plan
        self._throughput = throughput
        self._bar: tqdm[Any] | None = None
        self._evaluation_bar: tqdm[Any] | None = None
        self._on_terminal = sys.stderr.isatty()
        self._started = 0.0  # on the clock of time.perf_counter
        self._first_step = 0  # the step that this leg of the training began at

    def show_on_bar(self, text: str) -> bool:
        """Show a text beside the training's bar; False where there is no bar to be seen."""
        if self._bar is None or not self._on_terminal:
            return False
        self._bar.set_postfix_str(text)
        return True

    def pace(self, step: int) -> str:
        """How fast training goes, and how long it will still take with its validations."""
        if self._plan is None or self._throughput is None or not self._throughput.examples_per_second:
            return ""
        speed = self._throughput.examples_per_second
        shown = f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
        taken = step - self._first_step
        if taken < 1 or step >= self._plan.total_steps:
            return f"  ({shown} examples/s)"
        left = (time.perf_counter() - self._started) / taken * (self._plan.total_steps - step)
        return f"  ({shown} examples/s, {duration(left)} left)"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert self._plan is not None
        assert isinstance(pl_module, TrainingModule)
        self._started, self._first_step = time.perf_counter(), pl_module.steps_done
        if trainer.is_global_zero:
            self._bar = tqdm(
                total=self._plan.total_steps,
                initial=pl_module.steps_done,
                desc="training",
                unit="step",
                disable=not self._on_terminal,
                dynamic_ncols=True,
            )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is not None:
            self._bar.update(trainer.global_step - self._bar.n)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _start_evaluation(self, trainer: pl.Trainer, what: str, batches: int | float) -> None:
        if trainer.is_global_zero:
            self._evaluation_bar = tqdm(
                total=int(batches),
                desc=what,
                unit="batch",
                leave=False,
                disable=not self._on_terminal,
                dynamic_ncols=True,
            )

    def _advance_evaluation(self) -> None:
        if self._evaluation_bar is not None:
            self._evaluation_bar.update()

    def _end_evaluation(self) -> None:
        if self._evaluation_bar is not None:
            self._evaluation_bar.close()
            self._evaluation_bar = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start_evaluation(trainer, "validating", sum(trainer.num_val_batches))

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._advance_evaluation()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end_evaluation()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start_evaluation(trainer, "testing", sum(trainer.num_test_batches))

    def on_test_batch_end(self, *args: Any, **kwargs: Any) -> None:
        self._advance_evaluation()

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end_evaluation()
