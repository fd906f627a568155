"""Batches that know their optimiser step: how many items each task's loss is over in it, and what it compares.

With accumulation, or on several devices, a step's gradient is to be that of one large batch. A mean over each batch's
own items is not: a caption with one hidden word would weigh as much as one with five. So batches are read one step
ahead, before they go to the device, and the step's items are counted over all batches and devices. Where a task
compares all examples of a step with each other, its first batch brings the others along (`step_wide.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice

import torch
from torch import Tensor

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.loader import BatchLoader
from renaissance.tasks.common.step_wide import StepWideTask
from renaissance.tasks.common.task import Task


class StepBatches:
    """The batches of a loader in their order, each with the items of its whole optimiser step.

    Where a step takes one batch, none is read ahead. Otherwise there are as many in memory as a step takes: each time
    one is handed out, one of the next step is read, so that workers do not wait for a step to end.

    Args:
        loader: this device's batches; it begins with the first one of a step.
        tasks: the active tasks by name, which count their items.
        accumulate: batches that a device takes in a step.
        device: where the devices of a run add up their counts; None for a run on a single one.
    """

    def __init__(
        self, loader: BatchLoader, tasks: Mapping[str, Task], accumulate: int, device: torch.device | None
    ) -> None:
        self._loader = loader
        self._tasks = tasks
        self._accumulate = accumulate
        self._device = device

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        batches = iter(self._loader)
        following = deque(islice(batches, self._accumulate))
        while following:
            step, following = following, deque[Batch]()
            items = self._items(step)
            if any(isinstance(task, StepWideTask) and task.takes(step[0]) for task in self._tasks.values()):
                step[0].following = tuple(islice(step, 1, None))
            while step:
                batch = step.popleft()
                batch.step_items = items
                yield batch
                following.extend(islice(batches, 1))

    def _items(self, step: deque[Batch]) -> dict[str, Tensor]:
        """By task, how many items its loss is over in a step, on all devices: scalars, as large as 1 at least.

        The batches of a step are of one schema, and go to the tasks that read it.
        """
        tasks = {name: task for name, task in self._tasks.items() if task.takes(step[0])}
        counts = torch.tensor([sum(task.items(batch) for batch in step) for task in tasks.values()])
        if self._device is not None:
            counts = counts.to(self._device)
            torch.distributed.all_reduce(counts)
        return dict(zip(tasks, counts.clamp(min=1), strict=True))
