"""Lightning's trainer around an assembly: fitting, validating, testing, in one run folder."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytorch_lightning as pl

from renaissance.checkpoints.checkpoint import Checkpoint, read_content
from renaissance.checkpoints.files import copy_checkpoint
from renaissance.data.batches.loader import BatchLoader
from renaissance.data.examples.interface import VAL
from renaissance.errors import Interrupted, UserError
from renaissance.stop_signals import STOP
from renaissance.tasks.common.evaluation import Split
from renaissance.tracking.chance import add_chance
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.dispatch import Trackers
from renaissance.tracking.trackers.interface import LogScalar, RunStart, Tracker
from renaissance.tracking.trackers.registry import trackers_of
from renaissance.training.assemble import Assembly
from renaissance.training.callbacks.checkpointing import KeepCheckpoints, restored_best
from renaissance.training.callbacks.early_stopping import early_stopping
from renaissance.training.callbacks.interval_checkpoints import interval_checkpoints
from renaissance.training.callbacks.progress import ProgressBars, Throughput
from renaissance.training.callbacks.sheets import SampleSheets
from renaissance.training.callbacks.signals import StopOnSignal, agreed_to_stop, leave_signals_alone, stopping_lightning
from renaissance.training.checkpoint_io import SafeCheckpointIO
from renaissance.training.devices import Devices, this_rank
from renaissance.training.inputs import each_split, split_names, tested_splits
from renaissance.training.joining import cluster_environment
from renaissance.training.loaders import Loaders
from renaissance.training.module import TrainingModule
from renaissance.training.monitoring import Monitor
from renaissance.training.pace import PaceLog
from renaissance.training.plan import AskedLength, Plan, TrainingData, make_plan
from renaissance.training.resuming import (
    check_plan_resumable,
    check_tables_resumable,
    kept_schedule,
    spent_before,
    table_sizes,
)
from renaissance.training.strategies import shares_out, strategy_of


class Session:
    """What a run does, with its devices and its folder.

    Args:
        assembly: data, model and tasks.
        devices: the processors.
        folder: the run's folder.
        log_scalar: takes every metric as (name, value, step), for observers.
        resumed: the checkpoint that training goes on from; None to start at step 0.
        started: when the run's work began, in seconds since the epoch.
        trackers: that are told of the run beside those that the settings ask for.
    """

    def __init__(
        self,
        assembly: Assembly,
        devices: Devices,
        folder: RunFolder,
        log_scalar: LogScalar,
        resumed: Checkpoint | None,
        started: float,
        trackers: Sequence[Tracker] = (),
    ) -> None:
        _quieten_lightning()
        settings = assembly.settings
        self.assembly = assembly
        self.devices = devices
        self.folder = folder
        self.monitor = Monitor.of_settings(settings)
        self.remarks: list[str] = []
        if resumed is not None and resumed.monitor != self.monitor.name:  # of a version that went by another
            self.remarks.append(f"the best so far was not told by {self.monitor.name}: it is looked for anew from here")
            resumed = replace(resumed, best=None, stopping=None)
        self.resumed = resumed
        self.is_main = this_rank() == 0
        self.plan = None if settings.test_only else self._laid_out(resumed)
        self.throughput = Throughput(self.plan, started, spent_before(folder, resumed)) if self.plan else None
        best = restored_best(folder, resumed) if resumed and self.is_main else None
        self.keeping = KeepCheckpoints(folder, resumed, best) if self.plan else None
        self.stopping = early_stopping(settings, settings.datasets, self.validates, resumed) if self.plan else None
        on_the_way = interval_checkpoints(settings, folder, self.plan, self.validates) if self.plan else None
        self.loaders = Loaders(assembly, devices)
        self.trackers = Trackers((*trackers_of(settings), *trackers) if self.is_main else ())
        pictures = self.loaders.pictures()
        interval, show = settings.sample_interval, self.trackers.picture
        self.sheets = SampleSheets(interval, folder, pictures, show) if self.is_main else None
        bars = ProgressBars(self.plan, self.throughput) if self.is_main else None
        writing = (self.keeping, on_the_way, StopOnSignal(folder, self.plan))
        own = (self.throughput, bars, self.sheets, self.stopping, *writing)
        self.module = TrainingModule(
            assembly.model,
            assembly.tasks,
            settings,
            self.monitor,
            self.plan,
            assembly.description,
            assembly.pixels,
            self.trackers.log,
            PaceLog(self.plan, self.throughput, self.trackers.pace) if self.plan and self.throughput else _no_pace,
            predictions=folder.write_predictions if self.is_main else _no_predictions,
            chance=partial(add_chance, folder.chance) if self.is_main else _no_chance,
        )
        self.module.evaluated = assembly.tested
        self.module.tables = table_sizes(assembly.groups)
        self.trainer = self._trainer([callback for callback in own if callback is not None])
        # From the start, not from when it trains: a run that has nothing left to train takes its best weights too.
        self.trainer.strategy.connect(self.module)
        leave_signals_alone(self.trainer)
        self.trackers.start(
            RunStart(
                settings=settings,
                folder=folder,
                resumed_step=resumed.global_step if resumed else None,
                validated_step=resumed.validated_step if resumed else 0,
                total_steps=self.plan.total_steps if self.plan else None,
                log_scalar=log_scalar,
                terminal=bars,
            )
        )

    def _laid_out(self, resumed: Checkpoint | None) -> Plan:
        """The plan of a training, which a resumed one has to share."""
        settings, groups = self.assembly.settings, self.assembly.groups
        kept = kept_schedule(settings, resumed)
        data = [TrainingData(group.examples_an_epoch, group.share) for group in groups]
        plan, remarks = make_plan(AskedLength.of_settings(settings), data, self.devices.world_size, kept)
        self.remarks += remarks
        self.monitor.check_split(self.validates, settings.datasets)
        if resumed is not None:
            check_tables_resumable(resumed, table_sizes(groups))
            check_plan_resumable(resumed, plan, settings)
        return plan

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Around `fit` and `test`: however they end, worker processes end with them.

        Raises:
            UserError: a worker process died of a table that was cut off while it read.
        """
        try:
            yield
        except RuntimeError:
            for _, examples in each_split(self.assembly.groups):
                examples.check_whole()
            raise
        finally:
            self.loaders.close()

    def fit(self) -> None:
        """Train, with validations on the way and one at the end.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, when the state has been saved.
        """
        assert self.plan is not None
        with stopping_lightning("finishing this step, then saving last.ckpt"):
            if self.resumed is not None:
                self._catch_up(self.resumed)
            if not self.stopped_early:
                self.trainer.fit(
                    self.module,
                    self.loaders.training(self.plan, self.resumed.global_step if self.resumed else 0),
                    self._evaluation([VAL], tested=False) or None,
                    ckpt_path=str(self.resumed.path) if self.resumed else None,
                )
        if agreed_to_stop(self.trainer):  # the last validation has saved the state
            raise Interrupted(STOP.received or signal.SIGTERM)
        self._take_best()

    def _take_best(self) -> None:
        """Give the model the weights of `best.ckpt`.

        Raises:
            UserError: the file was damaged, or exchanged, since it was written.
        """
        assert self.keeping is not None
        assert self.plan is not None
        kept = self.folder.best_checkpoint
        if self.is_main and not kept.is_file():  # nothing was validated: the last state is the best that is known
            copy_checkpoint(self.folder.last_checkpoint, kept)
        best = read_content(self.trainer.strategy.broadcast(str(kept)))
        step, expected = int(best["global_step"]), self.keeping.best_step
        if self.is_main and expected is not None and step != expected:
            raise UserError(f"{kept}: is of step {step:,}, but the best was that of step {expected:,}: nothing tested.")
        self.trainer.strategy.load_model_state_dict(best)
        self.module.evaluated = step, self.plan.epoch_of(step)

    @property
    def stopped_early(self) -> bool:
        """Whether training is to end, or has ended, for want of improvement."""
        return self.stopping is not None and self.stopping.stopped

    def _catch_up(self, resumed: Checkpoint) -> None:
        """Do the validation that an interrupted run still owed, and say so where nothing is left to train."""
        assert self.plan is not None
        step = resumed.global_step
        self.module.steps_done, self.module.watch.skipped = step, resumed.skipped_steps
        at_the_end = step >= self.plan.total_steps or self.stopped_early
        in_new_folder = self.folder.last_checkpoint.resolve() != resumed.path.resolve()
        if at_the_end and self.is_main:
            print(f"nothing left to train: {resumed.path} is at step {step:,} of {self.plan.total_steps:,}")
        due = at_the_end or (step > 0 and step % self.plan.validate_every == 0)
        done = resumed.validated_step == step and not (at_the_end and in_new_folder)
        if due and not done and self.validates:
            self.trainer.validate(self.module, self._evaluation([VAL], tested=False), verbose=False)
        if (at_the_end or self.stopped_early) and self.is_main and not self.folder.last_checkpoint.is_file():
            copy_checkpoint(resumed.path, self.folder.last_checkpoint)

    def test(self) -> None:
        """Test the model, after training in its best state; without test data this does nothing and says so.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM.
        """
        loaders = self._evaluation(tested_splits(self.assembly.groups), tested=True)
        if not loaders:
            if self.sheets is not None:  # of a user's own images, which need no data set
                self.sheets.on_test_end(self.trainer, self.module)
            if self.is_main and not tested_splits(self.assembly.groups):
                print("no test data: nothing tested")
            return
        with stopping_lightning("finishing this batch, then leaving the test"):
            self.trainer.test(self.module, loaders, verbose=False)
            if self.devices.world_size == 1:
                STOP.check()

    @property
    def validates(self) -> bool:
        """Whether there are validation data."""
        return VAL in split_names(self.assembly.groups)

    def _evaluation(self, splits: Sequence[str], tested: bool) -> list[BatchLoader]:
        """The loaders of splits that are evaluated next, of which the module is told in the same order."""
        loaders = self.loaders.evaluation(splits)
        groups = {group.name: group for group in self.assembly.groups}
        settings, world_size = self.assembly.settings, self.devices.world_size
        self.module.evaluations.splits = [
            Split(split, groups[name].examples[split], tested, settings.eval_seed, settings.fast_dev_run, world_size)
            for split, name in loaders
        ]
        return list(loaders.values())

    def _trainer(self, callbacks: list[pl.Callback]) -> pl.Trainer:
        settings, plan, devices = self.assembly.settings, self.plan, self.devices
        limit = 1 if settings.fast_dev_run else None
        return pl.Trainer(
            accelerator=devices.accelerator,
            devices=devices.per_node,
            num_nodes=devices.nodes,
            strategy=strategy_of(settings, devices, takes_turns=len(self.assembly.groups) > 1),
            precision=settings.precision,
            max_epochs=1,
            max_steps=plan.total_steps if plan else -1,
            accumulate_grad_batches=plan.accumulate if plan else 1,
            gradient_clip_val=settings.gradient_clip_val,
            val_check_interval=plan.validate_every * plan.accumulate if plan else None,
            check_val_every_n_epoch=None,
            limit_val_batches=limit,
            limit_test_batches=limit,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            inference_mode=False,  # metrics that a validation before training began are counted on in training
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            plugins=[
                SafeCheckpointIO(shares_out(settings, devices)),
                *([cluster_environment(devices)] if devices.world_size > 1 else []),
            ],
            callbacks=callbacks,
        )


def _no_chance(values: Mapping[str, float]) -> None:
    """Of a process that writes nothing."""


def _no_pace(step: int, learning_rate: float, gradient_norm: float | None) -> None:
    """Of a run that trains nothing."""


def _no_predictions(task: str, split: str, rows: list[dict[str, Any]]) -> None:
    """Of a process that writes nothing: the main one has the predictions of all."""


def _quieten_lightning() -> None:
    """Keep Lightning's own remarks off the output: the run says itself what a user needs to know."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*`broadcast_buffers` is deprecated.*",  # what takes its place sends them around at the start
        ".*was previously called multiple times.*",
        ".*module\\(s\\) in eval mode at the start of training.*",
        ".*Trying to infer the `batch_size`.*",
        ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
        ".*You defined a `validation_step` but have no `val_dataloader`.*",
        ".*Total length of `.*Loader` across ranks is zero.*",
    ):
        warnings.filterwarnings("ignore", message=message)
