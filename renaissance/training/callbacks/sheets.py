"""Sheets of what the model generates, while it is trained and tested: images of the split and the user's own.

What a sheet shows follows from the weights alone, and drawing it takes no random number from the training, so a
resumed run writes the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from renaissance.settings import Settings
from renaissance.tasks.common.split import SplitImages
from renaissance.tasks.common.task import Task
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.sheets import write_sheet
from renaissance.tracking.trackers.interface import ShowPicture
from renaissance.training.module import TrainingModule


class SampleSheets(pl.Callback):
    """Writes `samples/step_<n>.png` and `.csv`, every `sample_interval` steps or at every validation; then `test`.

    Training shows validation images; where a data set has none, its training images, at the end if at no interval.

    Args:
        settings: the run's settings.
        folder: the run's folder.
        images: those of each split; none where the tasks look at no images.
        show: hands a sheet's picture on, as `samples/<split>`.
    """

    def __init__(
        self, settings: Settings, folder: RunFolder, images: Mapping[str, SplitImages], show: ShowPicture
    ) -> None:
        self._interval = settings.sample_interval
        self._folder = folder
        self._images = images
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
        if self._interval is None and "val" not in self._images:
            self._write_step(pl_module, trainer.global_step)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, TrainingModule)
        step = pl_module.evaluated[0] if pl_module.evaluated else pl_module.steps_done
        self._write(pl_module, "test", step, name="test", title="test")

    def _write_step(self, module: pl.LightningModule, step: int) -> None:
        split = "val" if "val" in self._images else "train"
        self._write(module, split, step, name=f"step_{step}", title=f"step {step:,}")

    def _write(self, module: pl.LightningModule, split: str, step: int, name: str, title: str) -> None:
        assert isinstance(module, TrainingModule)
        if split not in self._images:
            return
        training = module.training
        module.eval()
        samples = []
        for task in module.tasks.values():
            assert isinstance(task, Task)
            samples += task.samples(module.model, self._images[split])
        module.train(training)
        if samples:
            self._show(f"samples/{split}", write_sheet(samples, self._folder.samples / name, title), step)
