"""Loaders: batches in order, made in this process or in worker processes.

In: an example source, how to treat images and texts, what tasks draw. Out: an iterable of `Batch` with a length.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from typing import Any
from weakref import WeakSet

import torch
from torch.utils.data import DataLoader

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import BatchMaker, Draw, ExtraDrawer, Failure
from renaissance.data.batches.order import EvaluationOrder, TrainOrder, batches_per_epoch
from renaissance.data.examples.source import ExampleSource
from renaissance.data.images.transform import ImageTransform
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.processes import children_unsignalled, obey_parent_only

__all__ = ["BatchLoader", "Draw", "ExtraDrawer", "batches_per_epoch", "make_eval_loader", "make_train_loader"]


PATIENCE_SECONDS = 1.0  # with a worker that is to end, and is in the middle of a batch


class BatchLoader:
    """Batches, each time from the beginning; `len` is their number."""

    def __init__(self, maker: BatchMaker, order: TrainOrder | EvaluationOrder, num_workers: int, pin_memory: bool):
        forking = "fork" in multiprocessing.get_all_start_methods()
        self._length = len(order)
        self._under_way: WeakSet[Generator[Batch, None, None]] = WeakSet()
        self._loader: DataLoader[Batch | Failure] = DataLoader(
            maker,
            sampler=order,  # addresses of batches, which are the keys of `maker`
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=num_workers,
            worker_init_fn=_begin_worker,
            # Forked workers share what is open and imported, so they start in milliseconds.
            multiprocessing_context="fork" if num_workers and forking else None,
            pin_memory=pin_memory,
            # Its own, so that making an iterator takes no number from the generator that dropout uses.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Batch]:
        """Yields batches. Raises UserError for an image or a table that cannot be read."""
        batches = self._batches()
        self._under_way.add(batches)
        return batches

    def close(self) -> None:
        """End what is under way, with its worker processes; after an exception nothing else does so in time."""
        for batches in list(self._under_way):
            batches.close()

    def _batches(self) -> Generator[Batch, None, None]:
        others = multiprocessing.active_children()
        with children_unsignalled():
            batches = iter(self._loader)
        workers = [process for process in multiprocessing.active_children() if process not in others]
        try:
            while (batch := next(batches, None)) is not None:
                if isinstance(batch, Failure):
                    raise UserError(batch.message)
                yield batch
        finally:
            impatience = threading.Timer(PATIENCE_SECONDS, _terminate, [workers])
            impatience.start()
            del batches  # with its last reference, PyTorch asks the workers to end, and waits for them
            impatience.cancel()
            _terminate(workers)  # an exception that came out of it still refers to it


def make_train_loader(
    source: ExampleSource,
    *,
    batch_size: int,
    total_batches: int,
    start_batch: int = 0,
    accumulate: int = 1,
    image_transform: ImageTransform | None,
    text: TextProcessor | None,
    draws: Mapping[str, Draw],
    seed: int,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> BatchLoader:
    """One device's training batches from `start_batch` to `total_batches`, through as many epochs as that takes.

    Args:
        source: the training split.
        batch_size: examples a device and batch.
        total_batches: where the stream ends, counted from the beginning of training.
        start_batch: where it begins; a resumed run goes on here, and nothing before it is read.
        accumulate: batches that make up an optimiser step, of which an epoch takes whole ones.
        image_transform: for the images; None without images.
        text: for the texts; None without texts.
        draws: per task name, its random choices.
        seed: of every draw.
        num_workers: worker processes; 0 makes batches in this process.
        rank: this device's number.
        world_size: number of devices.
        pin_memory: make batches in page-locked memory, for a GPU.
    """
    order = TrainOrder(
        len(source),
        batch_size=batch_size,
        start_batch=start_batch,
        total_batches=total_batches,
        seed=seed,
        rank=rank,
        world_size=world_size,
        accumulate=accumulate,
    )
    maker = BatchMaker(source, image_transform, text, draws, seed, training=True)
    return BatchLoader(maker, order, num_workers, pin_memory)


def make_eval_loader(
    source: ExampleSource,
    *,
    batch_size: int,
    image_transform: ImageTransform | None,
    text: TextProcessor | None,
    draws: Mapping[str, Draw],
    seed: int,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> BatchLoader:
    """One device's evaluation batches: over all ranks every example exactly once, with the draws of epoch 0.

    Args: as of `make_train_loader`.
    """
    order = EvaluationOrder(len(source), batch_size=batch_size, rank=rank, world_size=world_size)
    maker = BatchMaker(source, image_transform, text, draws, seed, training=False)
    return BatchLoader(maker, order, num_workers, pin_memory)


def _as_it_is(batch: Any) -> Any:
    return batch


def _begin_worker(_: int) -> None:
    """Leave signals to the main process; without a parent, a worker ends by itself."""
    obey_parent_only()
    torch.set_num_threads(1)


def _terminate(workers: Sequence[BaseProcess]) -> None:
    for worker in workers:
        if worker.is_alive():
            worker.terminate()
