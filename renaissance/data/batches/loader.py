"""Loaders: batches in order, made in this process or in worker processes.

In: makers of batches, and in which order their examples are taken. Out: an iterable of `Batch` with a length.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Generator, Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Any, Protocol
from weakref import WeakSet

import torch
from torch.utils.data import DataLoader, Dataset

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import BatchMaker, Failure
from renaissance.data.batches.order import BatchAddress, EvaluationOrder, TrainOrder
from renaissance.data.batches.selection import Selection
from renaissance.data.batches.turns import TurnOrder, Turns
from renaissance.errors import UserError
from renaissance.processes import children_unsignalled, obey_parent_only

PATIENCE_SECONDS = 1.0  # with a worker that is to end, and is in the middle of a batch


class Order(Protocol):
    """The keys of the batches, in order."""

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...


class BatchLoader:
    """Batches, each time from the beginning; `len` is their number."""

    def __init__(
        self,
        maker: Dataset[Any],
        order: Order,
        num_workers: int,
        pin_memory: bool,
    ):
        forking = "fork" in multiprocessing.get_all_start_methods()
        self._order = order
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
        return len(self._order)

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


class SourcesMaker(Dataset[Batch | Failure]):
    """Makes batches of several sources. A map-style data set whose keys are (source, batch address).

    Args:
        makers: one for each source.
    """

    def __init__(self, makers: Sequence[BatchMaker]) -> None:
        self._makers = list(makers)

    def __getitem__(self, key: tuple[int, BatchAddress]) -> Batch | Failure:
        source, address = key
        return self._makers[source][address]


def make_train_loader(
    makers: Sequence[BatchMaker],
    *,
    batch_size: int,
    total_batches: int,
    weights: Sequence[float] = (1.0,),
    selections: Sequence[Selection | None] = (None,),
    start_batch: int = 0,
    accumulate: int = 1,
    seed: int,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> BatchLoader:
    """One device's training batches from `start_batch` to `total_batches`, through as many epochs as that takes.

    Args:
        makers: one for each source of training examples, whose optimiser steps take turns.
        batch_size: examples a device and batch.
        total_batches: where the stream ends, counted from the beginning of training.
        weights: of each source, the share of the optimiser steps that it gets, in proportion.
        selections: of each source, which examples an epoch has; None for all.
        start_batch: where it begins; a resumed run goes on here, and nothing before it is read.
        accumulate: batches that make up an optimiser step, of which an epoch takes whole ones.
        seed: of the order.
        num_workers: worker processes; 0 makes batches in this process.
        rank: this device's number.
        world_size: number of devices.
        pin_memory: make batches in page-locked memory, for a GPU.
    """
    steps = range(start_batch // accumulate, total_batches // accumulate)
    turns = Turns(weights)
    orders = [
        TrainOrder(
            maker.examples if selection is None else len(selection),
            of_epoch=None if selection is None else selection.of_epoch,
            batch_size=batch_size,
            start_batch=before * accumulate,
            total_batches=after * accumulate,
            seed=seed,
            rank=rank,
            world_size=world_size,
            accumulate=accumulate,
        )
        for maker, selection, before, after in zip(
            makers, selections, turns.taken(steps.start), turns.taken(steps.stop), strict=True
        )
    ]
    return BatchLoader(SourcesMaker(makers), TurnOrder(orders, turns, steps, accumulate), num_workers, pin_memory)


def make_eval_loader(
    maker: BatchMaker,
    *,
    batch_size: int,
    num_workers: int,
    rank: int = 0,
    world_size: int = 1,
    pin_memory: bool = False,
) -> BatchLoader:
    """One device's evaluation batches: over all ranks every example exactly once, with the draws of epoch 0.

    Args:
        maker: of the split's batches.
        batch_size: examples a device and batch.
        num_workers: worker processes; 0 makes batches in this process.
        rank: this device's number.
        world_size: number of devices.
        pin_memory: make batches in page-locked memory, for a GPU.
    """
    order = EvaluationOrder(maker.examples, batch_size=batch_size, rank=rank, world_size=world_size)
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
