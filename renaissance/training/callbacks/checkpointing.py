"""Which checkpoints a run keeps: the last and the best.

`last.ckpt` names the score and the step of the best, and is written before `best.ckpt`, which is a copy of it. So
whenever the process ends, the two go together, or `last.ckpt` is itself the best that it names: a resumed run copies
it then (`restored_best`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from renaissance.checkpoints.checkpoint import Checkpoint
from renaissance.checkpoints.files import copy_checkpoint, write_changed
from renaissance.checkpoints.migration import migrated
from renaissance.checkpoints.opening import load_safely
from renaissance.checkpoints.shards import put_together
from renaissance.errors import UserError
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.module import TrainingModule


def restored_best(folder: RunFolder, resumed: Checkpoint) -> tuple[float, int] | None:
    """The score and the step of `best.ckpt` of a run that goes on, which is then of the step that `last.ckpt` names.

    Args:
        folder: where the run goes on. Into another folder than the checkpoint's the best is copied from beside it.
        resumed: the checkpoint that it goes on from.

    Raises:
        UserError: `best.ckpt` is of another step, and the right one is nowhere.
    """
    best = resumed.best
    if best is None:
        return None
    if folder.last_checkpoint.resolve() != resumed.path.resolve():
        return _carried_best(folder, resumed, best)
    kept, step = folder.best_checkpoint, best[1]
    found = _step_of(kept)
    if found == step:
        return best
    if resumed.global_step == step:
        print(f"{kept}: written again from last.ckpt, which is the best so far; the run ended before it was")
        copy_checkpoint(resumed.path, kept)
        return best
    if not kept.is_file():
        print(f"{kept}: is no longer there; the best is chosen anew from here on")
        return None
    raise UserError(
        f"{kept}: should be the checkpoint of step {step:,}, which last.ckpt names as the best so far, and is "
        f"{'damaged' if found is None else f'of step {found:,}'}. Put the right one there, or remove it: then the best "
        "is chosen anew from here on."
    )


def _carried_best(folder: RunFolder, resumed: Checkpoint, best: tuple[float, int]) -> tuple[float, int] | None:
    """The best of a run that goes on in a new folder, copied there; None, and said, where it is nowhere."""
    beside = resumed.path.with_name(folder.best_checkpoint.name)
    for source in (beside, resumed.path):
        if _step_of(source) == best[1]:
            copy_checkpoint(source, folder.best_checkpoint)
            return best
    print(f"{beside}: is not the best so far, of step {best[1]:,}; the best is chosen anew from here on")
    return None


def _step_of(path: Path) -> int | None:
    """The step of a checkpoint; None where there is none, or none that can be read."""
    try:
        return int(put_together(load_safely(path), path)["global_step"])
    except (UserError, KeyError, TypeError, ValueError):
        return None


class KeepCheckpoints(pl.Callback):
    """Writes `last.ckpt` at every validation and at the end, and `best.ckpt` when the score is the best so far.

    Args:
        folder: the run's folder.
        resumed: the checkpoint that training goes on from; None at the start.
        best: the score and the step of `best.ckpt`; None where there is none.
    """

    def __init__(self, folder: RunFolder, resumed: Checkpoint | None, best: tuple[float, int] | None) -> None:
        self._folder = folder
        self._resumed = resumed
        self.best_score: float | None = best[0] if best else None
        self.best_step: int | None = best[1] if best else None

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
        if trainer.state.fn == "fit":
            trainer.save_checkpoint(self._folder.last_checkpoint)
        elif self._resumed is not None and trainer.is_global_zero:
            self._write_validated(trainer, pl_module, self._resumed)
        if is_best and trainer.is_global_zero:
            copy_checkpoint(self._folder.last_checkpoint, self._folder.best_checkpoint)

    def _write_validated(self, trainer: pl.Trainer, module: TrainingModule, resumed: Checkpoint) -> None:
        """Write `last.ckpt` with a validation that the interrupted run still owed, the rest of it as it was."""

        def validated(content: dict[str, Any]) -> dict[str, Any]:
            content = {**migrated(content, resumed.path), "validated_step": module.validated_step}
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                callback.on_save_checkpoint(trainer, module, content)
            return content

        write_changed(resumed.path, self._folder.last_checkpoint, validated)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.val_dataloaders:
            trainer.save_checkpoint(self._folder.last_checkpoint)
