"""The examples of a run on their way to its model: batches of each split, and images for sheets.

Comes in: an assembly and the devices. Goes out: loaders for Lightning's trainer, and pictures for sheets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.loader import BatchLoader, make_eval_loader, make_train_loader
from renaissance.data.examples.interface import TRAIN
from renaissance.data.images.transform import ImageTransform
from renaissance.tasks.common.pictures import SplitPictures
from renaissance.training.assemble import Assembly
from renaissance.training.devices import Devices, this_rank
from renaissance.training.inputs import TaskGroup
from renaissance.training.plan import Plan
from renaissance.training.steps import StepBatches


class Loaders:
    """Makes the loaders of a run's splits.

    Args:
        assembly: data, model and tasks.
        devices: the processors.
    """

    def __init__(self, assembly: Assembly, devices: Devices) -> None:
        self._assembly = assembly
        self._devices = devices
        self._made: list[BatchLoader] = []

    def training(self, plan: Plan, step: int) -> StepBatches:
        """The training batches of this process, in the plan's order.

        Args:
            plan: how the data are cut into steps.
            step: the optimiser step to begin behind.
        """
        groups = self._assembly.groups
        loader = make_train_loader(
            [self._maker(group, TRAIN) for group in groups],
            weights=[group.share for group in groups],
            selections=[group.selection for group in groups],
            batch_size=plan.device_batch,
            total_batches=plan.total_batches,
            start_batch=step * plan.accumulate,
            accumulate=plan.accumulate,
            seed=self._assembly.settings.seed,
            **self._machine(),
        )
        self._made.append(loader)
        device = torch.device(self._devices.accelerator) if plan.world_size > 1 else None
        return StepBatches(loader, self._assembly.tasks, plan.accumulate, device)

    def evaluation(self, splits: Sequence[str]) -> dict[tuple[str, str], BatchLoader]:
        """The batches of splits by split and group, in the order of the splits; of those that have examples."""
        loaders = {
            (split, group.name): make_eval_loader(
                self._maker(group, split), batch_size=self._assembly.settings.eval_batch_size, **self._machine()
            )
            for split in splits
            for group in self._assembly.groups
            if group.examples.get(split)
        }
        self._made += loaders.values()
        return loaders

    def close(self) -> None:
        """End the worker processes of every loader."""
        for loader in self._made:
            loader.close()

    def pictures(self) -> dict[tuple[str, str], SplitPictures]:
        """Images to be shown, by schema and split; none where no task looks at images."""
        settings, pixels = self._assembly.settings, self._assembly.pixels
        found: dict[tuple[str, str], SplitPictures] = {}
        for group in self._assembly.groups:
            transform = self._image_transform(group, training=False)
            if transform is None or pixels is None:
                continue
            for split, examples in group.examples.items():
                found[group.name, split] = SplitPictures(
                    examples,
                    transform,
                    pixels,
                    batch_size=settings.eval_batch_size,
                    seed=settings.eval_seed,
                    most=1 if settings.fast_dev_run else None,
                    stops=self._devices.world_size == 1,
                )
        return found

    def _maker(self, group: TaskGroup, split: str) -> BatchMaker:
        """Makes batches of a group's examples of a split."""
        settings, text, training = self._assembly.settings, self._assembly.text, split == TRAIN
        tasks = [(name, self._assembly.tasks[name]) for name in group.tasks]
        collates = {name: task.collate(task.declaration, settings, text, training) for name, task in tasks}
        return BatchMaker(
            group.examples[split],
            self._image_transform(group, training),
            text,
            {name: collate for name, collate in collates.items() if collate is not None},
            seed=settings.seed if training else settings.eval_seed,
            training=training,
        )

    def _machine(self) -> dict[str, Any]:
        return {
            "num_workers": self._assembly.settings.worker_processes(),
            "rank": this_rank(),
            "world_size": self._devices.world_size,
            "pin_memory": self._devices.accelerator == "cuda",
        }

    def _image_transform(self, group: TaskGroup, training: bool) -> ImageTransform | None:
        assembly = self._assembly
        if assembly.image_statistics is None or not group.needs.image:
            return None
        return ImageTransform.of_settings(
            assembly.settings,
            assembly.image_statistics,
            training=training,
            captioned=group.needs.text,
        )
