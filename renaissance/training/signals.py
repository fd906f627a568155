"""Ctrl-C and SIGTERM while training: the state is saved, then the run ends."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from renaissance.tracking.run_folder import RunFolder
from renaissance.training.module import TrainingModule
from renaissance.training.plan import Plan


class StopTraining(Exception):
    """Training stopped for a signal; the state has been saved.

    An ordinary exception, since Lightning answers a KeyboardInterrupt by ending the process itself.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class StopOnSignal(pl.Callback):
    """On Ctrl-C or SIGTERM: finishes the optimiser step, writes `last.ckpt` and ends the run.

    A callback of the trainer, and a context manager around its `fit`, outside of which signals do what they did.
    A second signal ends the run at once, without writing.
    """

    def __init__(self, folder: RunFolder, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        self._received: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        self._former = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning has put a handler of its own over ours by now, which would end the process without saving.
        signal.signal(signal.SIGTERM, self._receive)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        # At this point everything that belongs to the step before, its validation included, is done.
        if pl_module.batch_number % self._plan.accumulate:
            return
        # A signal may reach one process of several; saving needs all of them, so they agree.
        if trainer.strategy.reduce_boolean_decision(self._received is not None, all=False):
            trainer.save_checkpoint(self._folder.last_checkpoint)
            raise StopTraining(self._received or signal.SIGTERM)

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        # Several processes go on to the end of the validation, where they agree again. The checkpoint says that this
        # validation is still to be done.
        if self._received is not None and trainer.state.fn == "fit" and trainer.world_size == 1:
            trainer.save_checkpoint(self._folder.last_checkpoint)
            raise StopTraining(self._received)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            raise StopTraining(number)
        self._received = number
        name = signal.Signals(number).name
        print(f"\n{name}: finishing this step, then saving last.ckpt (once more to stop at once)", file=sys.stderr)
