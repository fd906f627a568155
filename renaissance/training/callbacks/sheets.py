"""Sheets of what the model generates, while it is trained and tested: images of the split and the user's own.

What a sheet shows follows from the weights alone, and drawing it takes no random number from the training, so a
resumed run writes the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.tasks.common.pictures import SplitPictures
from renaissance.tasks.common.task import Task
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.sheets import write_sheet
from renaissance.tracking.trackers.interface import ShowPicture
from renaissance.training.module import TrainingModule


class SampleSheets(pl.Callback):
    """Writes `samples/step_<n>.png` and `.csv`, every `interval` steps or at every validation; then `test`.

    Training shows validation images; where a data set has none, its training images, at the end if at no interval.

    Args:
        interval: optimiser steps between two sheets; None for one at every validation.
        folder: the run's folder.
        pictures: by schema and split; none where the tasks look at no images.
        show: hands a sheet's picture on, as `samples/<split>`.
    """

    def __init__(
        self,
        interval: int | None,
        folder: RunFolder,
        pictures: Mapping[tuple[str, str], SplitPictures],
        show: ShowPicture,
    ) -> None:
        self._interval = interval
        self._folder = folder
        self._pictures = pictures
        self._show = show
        self._newest_step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._newest_step = trainer.global_step  # of a resumed run: its sheet is there already

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if self._interval is None or step == self._newest_step:  # where gradients accumulate, most batches end no step
            return
        self._newest_step = step
        if step % self._interval == 0:
            self._write_step(pl_module, step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        if self._interval is None:
            self._write_step(pl_module, pl_module.steps_done)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._interval is None and VAL not in self._splits():
            self._write_step(pl_module, trainer.global_step)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        step = pl_module.evaluated[0] if pl_module.evaluated else pl_module.steps_done
        for split in sorted(self._splits() - {TRAIN, VAL}):
            self._write(pl_module, split, step, name=split, title=split)

    def _splits(self) -> set[str]:
        """The splits that there are images of."""
        return {split for _, split in self._pictures}

    def _write_step(self, module: pl.LightningModule, step: int) -> None:
        split = VAL if VAL in self._splits() else TRAIN
        self._write(module, split, step, name=f"step_{step}", title=f"step {step:,}")

    def _write(self, module: pl.LightningModule, split: str, step: int, name: str, title: str) -> None:
        assert isinstance(module, TrainingModule)
        training = module.training
        module.eval()
        samples = []
        for task in module.tasks.values():
            assert isinstance(task, Task)
            pictures = self._pictures.get((task.needs.schema.name, split))
            samples += task.samples(module.model, pictures) if pictures else []
        module.train(training)
        if samples:
            self._show(f"samples/{split}", write_sheet(samples, self._folder.samples / name, title), step)
