"""Which checkpoints a run keeps: the last and the best."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from renaissance.tracking.run_folder import RunFolder
from renaissance.training.checkpoints import copy_checkpoint
from renaissance.training.module import TrainingModule


class KeepCheckpoints(pl.Callback):
    """Writes `last.ckpt` at every validation and at the end, and `best.ckpt` when the score is the best so far."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.best_score: float | None = None
        self.best_step: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # The best of another folder stays there: a run that resumes in a new one has no best of its own yet.
        if self._folder.best_checkpoint.is_file():
            self.best_score, self.best_step = state_dict["best_score"], state_dict["best_step"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if trainer.state.fn != "fit":
            return
        score = pl_module.score
        is_best = score is not None and (self.best_score is None or score > self.best_score)
        if is_best:
            self.best_score, self.best_step = score, pl_module.steps_done
        trainer.save_checkpoint(self._folder.last_checkpoint)
        if is_best and trainer.is_global_zero:
            copy_checkpoint(self._folder.last_checkpoint, self._folder.best_checkpoint)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.val_dataloaders:  # nothing to validate on: the last state is the best that is known
            trainer.save_checkpoint(self._folder.last_checkpoint)
            if trainer.is_global_zero:
                copy_checkpoint(self._folder.last_checkpoint, self._folder.best_checkpoint)
