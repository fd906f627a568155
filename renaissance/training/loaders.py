"""The examples of a run on their way to its model: batches of each split, and its images as a whole.

Comes in: an assembly and the devices. Goes out: loaders for Lightning's trainer, and for tasks that generate the
images that they write of.
"""

from __future__ import annotations

from typing import Any

import torch

from renaissance.data.batches.loader import BatchLoader, Draw, make_eval_loader, make_train_loader
from renaissance.data.images.transform import ImageTransform
from renaissance.tasks.common.split import SplitImages
from renaissance.training.assemble import Assembly
from renaissance.training.devices import Devices, this_rank
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
        loader = make_train_loader(
            self._assembly.sources["train"],
            batch_size=plan.device_batch,
            total_batches=plan.total_batches,
            start_batch=step * plan.accumulate,
            accumulate=plan.accumulate,
            seed=self._assembly.settings.seed,
            image_transform=self._image_transform(training=True),
            **self._arguments(training=True),
        )
        self._made.append(loader)
        device = torch.device(self._devices.accelerator) if plan.world_size > 1 else None
        return StepBatches(loader, self._assembly.tasks, plan.accumulate, device)

    def evaluation(self, split: str) -> BatchLoader | None:
        """The batches of "val" or "test"; None where there are no such data."""
        source = self._assembly.sources.get(split)
        if not source:
            return None
        loader = make_eval_loader(
            source,
            batch_size=self._assembly.settings.eval_batch_size,
            seed=self._assembly.settings.eval_seed,
            image_transform=self._image_transform(training=False),
            **self._arguments(training=False),
        )
        self._made.append(loader)
        return loader

    def close(self) -> None:
        """End the worker processes of every loader."""
        for loader in self._made:
            loader.close()

    def images(self) -> dict[str, SplitImages]:
        """The images of each split, to be evaluated as a whole or shown; none where no task looks at images."""
        transform, pixels = self._image_transform(training=False), self._assembly.pixels
        if transform is None or pixels is None:
            return {}
        settings = self._assembly.settings
        return {
            split: SplitImages(
                split,
                source,
                transform,
                pixels,
                batch_size=settings.eval_batch_size,
                seed=settings.eval_seed,
                most=1 if settings.fast_dev_run else None,
                rank=this_rank(),
                world_size=self._devices.world_size,
            )
            for split, source in self._assembly.sources.items()
        }

    def _arguments(self, training: bool) -> dict[str, Any]:
        settings, text = self._assembly.settings, self._assembly.text
        draws: dict[str, Draw] = {}
        for name, task in self._assembly.tasks.items():
            draw = task.draw(settings, text, training)
            if draw is not None:
                draws[name] = draw
        return {
            "text": text,
            "draws": draws,
            "num_workers": settings.worker_processes(),
            "rank": this_rank(),
            "world_size": self._devices.world_size,
            "pin_memory": self._devices.accelerator == "cuda",
        }

    def _image_transform(self, training: bool) -> ImageTransform | None:
        assembly = self._assembly
        if assembly.image_statistics is None:
            return None
        return ImageTransform.of_settings(
            assembly.settings,
            assembly.image_statistics,
            training=training,
            captioned=assembly.needs.text,
        )
