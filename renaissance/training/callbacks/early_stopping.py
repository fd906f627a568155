"""Early stopping: training ends when validations no longer get better.

The score is the one that `best.ckpt` is chosen by. How long it has not got better is part of every checkpoint, so a
run that was interrupted stops where an uninterrupted one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl

from renaissance.checkpoints.checkpoint import Checkpoint
from renaissance.errors import UserError
from renaissance.settings.groups.training import LengthSettings
from renaissance.training.module import TrainingModule


class StopEarly(pl.Callback):
    """Ends training after `patience` validations in a row whose score was no better.

    It has to come before what writes checkpoints at a validation, so that they count that validation.

    Args:
        patience: validations without improvement.
        min_delta: how much better a score must be to count as improvement.
        resumed: the checkpoint that training goes on from; None at the start.

    Attributes:
        stopped: whether training is to end, or has ended, for want of improvement.
    """

    def __init__(self, patience: int, min_delta: float, resumed: Checkpoint | None) -> None:
        self._patience = patience
        self._min_delta = min_delta
        self._best: float | None = None
        self._waited = 0
        self._counted: int | None = None  # the step of the newest validation that was counted
        if resumed is not None and resumed.stopping is not None:
            self._best, self._waited = resumed.stopping
            self._counted = resumed.validated_step

    @property
    def stopped(self) -> bool:
        return self._waited >= self._patience

    def __str__(self) -> str:
        return f"{self._waited} validations in a row were no better"

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["stopping"] = None if self._best is None else (self._best, self._waited)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Count a validation, also one that a resumed run makes up for."""
        assert isinstance(pl_module, TrainingModule)
        score = pl_module.score
        if score is None or pl_module.steps_done == self._counted:
            return
        self._counted = pl_module.steps_done
        if self._best is None or score > self._best + self._min_delta:
            self._best, self._waited = score, 0
        else:
            self._waited += 1
        trainer.should_stop = self.stopped


def early_stopping(
    settings: LengthSettings, datasets: Sequence[str], validates: bool, resumed: Checkpoint | None
) -> StopEarly | None:
    """The callback that the settings ask for; None where they ask for none.

    Raises:
        UserError: they do, and there are no data to validate on.
    """
    if settings.early_stopping_patience is None:
        return None
    if not validates:
        raise UserError(
            f"early_stopping_patience={settings.early_stopping_patience} needs validations, and "
            f"{', '.join(datasets)} has no validation split. Leave it at None."
        )
    return StopEarly(settings.early_stopping_patience, settings.early_stopping_min_delta, resumed)
