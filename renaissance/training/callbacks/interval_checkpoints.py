"""Checkpoints on the way: `checkpoints/step_<n>.ckpt` every so many steps or epochs, of which the newest stay.

Each is a copy of `last.ckpt`, which is written first, so an interrupted run goes on from a state no older than the
newest of them. One goes only when a newer one is on the disk. `best.ckpt` and `last.ckpt` are not counted among them.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from renaissance.checkpoints.files import checkpoint_bytes, copy_checkpoint, remove_checkpoint
from renaissance.settings import Settings
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.module import TrainingModule
from renaissance.training.plan import Plan

_NAME = re.compile(r"step_(\d+)\.ckpt")


class IntervalCheckpoints(pl.Callback):
    """Writes a checkpoint at every multiple of `every` steps, and keeps the newest.

    It has to come behind what writes `last.ckpt` at a validation: of a step that ends with one, the checkpoint has
    that validation.

    Args:
        folder: the run's folder.
        plan: how long the training is, and when it validates.
        validates: whether there is a validation at all.
        every: optimiser steps.
        keep: how many stay; None for all.
    """

    def __init__(self, folder: RunFolder, plan: Plan, validates: bool, every: int, keep: int | None) -> None:
        self._folder = folder
        self._plan = plan
        self._validates = validates
        self._every = every
        self._keep = keep
        self._written: int | None = None  # the newest step that has one

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        step = pl_module.steps_done
        # At this point everything that belongs to the step before is done, also in the module.
        if pl_module.batch_number % self._plan.accumulate == 0 and self._is_due(step) and not self._is_validated(step):
            trainer.save_checkpoint(self._folder.last_checkpoint)
            self._keep_last(trainer, step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if not self._validates and self._is_due(pl_module.steps_done):
            self._keep_last(trainer, pl_module.steps_done)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        # "validate" is what makes up for a validation that an interruption took from a step.
        if trainer.state.fn in ("fit", "validate") and self._is_due(pl_module.steps_done):
            self._keep_last(trainer, pl_module.steps_done)

    def _is_due(self, step: int) -> bool:
        return step > 0 and step % self._every == 0 and step != self._written

    def _is_validated(self, step: int) -> bool:
        at_validation = step % self._plan.validate_every == 0 or step >= self._plan.total_steps
        return self._validates and at_validation

    def _keep_last(self, trainer: pl.Trainer, step: int) -> None:
        """Copy `last.ckpt`, of this step, and remove those that are too many."""
        first, self._written = self._written is None, step
        if not trainer.is_global_zero:
            return
        kept = self._folder.step_checkpoint(step)
        if first:
            self._warn_of_room(step)
        copy_checkpoint(self._folder.last_checkpoint, kept)
        if self._keep is not None:
            for path in self._oldest_first(step)[: -self._keep]:
                remove_checkpoint(path)

    def _oldest_first(self, step: int) -> list[Path]:
        """The checkpoints on the way. What a run that was interrupted wrote of steps still to come goes first."""
        found = {path: _NAME.fullmatch(path.name) for path in self._folder.last_checkpoint.parent.iterdir()}
        steps = {path: int(match[1]) for path, match in found.items() if match}
        return sorted(steps, key=lambda path: (steps[path] <= step, steps[path]))

    def _warn_of_room(self, step: int) -> None:
        """Say on standard error where the checkpoints to come will not find room on the disk."""
        size = checkpoint_bytes(self._folder.last_checkpoint)
        to_come = (self._plan.total_steps - step) // self._every + 1
        count = to_come if self._keep is None else min(to_come, self._keep + 1)  # a new one is there before an old goes
        free = shutil.disk_usage(self._folder.path).free
        if count * size > free:
            print(
                f"warning: checkpoints every {self._every:,} steps: {count:,} of {size / 1e6:,.1f} MB each are "
                f"{count * size / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free. Lower keep_checkpoints, or lengthen "
                "checkpoint_interval.",
                file=sys.stderr,
            )


def interval_checkpoints(
    settings: Settings, folder: RunFolder, plan: Plan, validates: bool
) -> IntervalCheckpoints | None:
    """The callback that the settings ask for; None where they ask for none."""
    interval = settings.checkpoint_interval
    if interval is None:
        return None
    every = interval if isinstance(interval, int) else max(1, round(interval * plan.epoch_batches / plan.accumulate))
    return IntervalCheckpoints(folder, plan, validates, every, settings.keep_checkpoints)
