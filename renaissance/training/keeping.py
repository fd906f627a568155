"""Which checkpoints a run keeps: the last and the best."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from renaissance.tracking.run_folder import RunFolder
from renaissance.training.checkpoints import Checkpoint, copy_checkpoint
from renaissance.training.module import TrainingModule


class KeepCheckpoints(pl.Callback):
    """Writes `last.ckpt` at every validation and at the end, and `best.ckpt` when the score is the best so far."""

    def __init__(self, folder: RunFolder, resumed: Checkpoint | None) -> None:
        self._folder = folder
        self._resumed = resumed
        self.best_score: float | None = None
        self.best_step: int | None = None
        # The best of another folder stays there: a run that resumes in a new one has no best of its own yet.
        if resumed is not None and resumed.best is not None and folder.best_checkpoint.is_file():
            self.best_score, self.best_step = resumed.best

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["best"] = None if self.best_score is None else (self.best_score, self.best_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        score = pl_module.score
        is_best = score is not None and (self.best_score is None or score > self.best_score)
        if is_best:
            self.best_score, self.best_step = score, pl_module.steps_done
        validated = self._folder.last_checkpoint
        if trainer.state.fn == "fit":
            trainer.save_checkpoint(validated)
        elif self._resumed is not None:  # a validation that the interrupted run still owed
            validated = self._resumed.path
        if is_best and trainer.is_global_zero:
            copy_checkpoint(validated, self._folder.best_checkpoint)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.val_dataloaders:  # nothing to validate on: the last state is the best that is known
            trainer.save_checkpoint(self._folder.last_checkpoint)
            if trainer.is_global_zero:
                copy_checkpoint(self._folder.last_checkpoint, self._folder.best_checkpoint)
