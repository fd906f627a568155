"""Ctrl-C and SIGTERM inside Lightning's trainer: where it can stop, and what is saved then."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl

from renaissance.errors import Interrupted
from renaissance.stop_signals import STOP
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.module import TrainingModule
from renaissance.training.plan import Plan


class StopTraining(Exception):
    """Lightning's trainer is to stop for a signal.

    An ordinary exception, since Lightning answers a KeyboardInterrupt by ending the process itself.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


@contextmanager
def stopping_lightning(notice: str) -> Iterator[None]:
    """Around calls of the trainer: a signal stops it where `StopOnSignal` can.

    Args:
        notice: what is going to happen then, for the user.

    Raises:
        Interrupted: it was stopped.
    """
    try:
        with STOP.deferred(notice, StopTraining):
            yield
    except StopTraining as stop:
        raise Interrupted(stop.signum) from None


def leave_signals_alone(trainer: pl.Trainer) -> None:
    """Keep Lightning from putting a handler of its own over ours, which would end the process without saving.

    It does so in every `fit`, `validate` and `test`, and there is no setting against it.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


class StopOnSignal(pl.Callback):
    """Stops the trainer after a signal: in training between two optimiser steps, in an evaluation between batches.

    A `fit` that stops writes `last.ckpt` first. After a second signal nothing is written: it may have come in the
    middle of a step.
    """

    def __init__(self, folder: RunFolder, plan: Plan | None) -> None:
        self._folder = folder
        self._plan = plan

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TrainingModule)
        assert self._plan is not None
        # At this point everything that belongs to the step before, its validation included, is done.
        if pl_module.batch_number % self._plan.accumulate == 0 and agreed_to_stop(trainer):
            raise StopTraining(STOP.received or signal.SIGTERM)

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        # Several processes go on to the end of the evaluation, where they agree again. The checkpoint says that this
        # validation is still to be done.
        if trainer.world_size == 1:
            STOP.check()

    def on_test_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if trainer.world_size == 1:
            STOP.check()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, StopTraining) and not STOP.insisted and trainer.state.fn == "fit":
            trainer.save_checkpoint(self._folder.last_checkpoint)


def agreed_to_stop(trainer: pl.Trainer) -> bool:
    """Whether a signal has reached any process of the run: saving and going on need all of them."""
    return bool(trainer.strategy.reduce_boolean_decision(STOP.received is not None, all=False))
