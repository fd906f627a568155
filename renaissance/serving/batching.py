"""Examples of requests that arrive together, computed together: one thread computes, and a queue gathers meanwhile.

In: the examples of a request, each a `Job`. Out: their answers, in order. What an example gets does not depend on the
others. Whoever waits no longer is taken out of the queue, and a full queue refuses.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from renaissance.data.images.decode import BadImage
from renaissance.errors import ExampleError, UserError
from renaissance.inference.model import Model
from renaissance.serving.errors import Refusal
from renaissance.serving.limits import MOST_ASIDE, Limits
from renaissance.serving.queue import Item, Job, Kind, Lane, Ticket

Result = TypeVar("Result")


class Batcher:
    """Computes examples in batches.

    Args:
        limits: the size of a batch and of the queue, and how long is waited for others.

    Attributes:
        waiting: the examples in the queue.
        arriving: requests that have come whole and are being read.
        observe: told of each batch's examples.
    """

    def __init__(self, limits: Limits, observe: Callable[[int], None] = lambda examples: None) -> None:
        self._limits = limits
        self._lanes: dict[Kind, Lane] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._aside_pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
        self._asides = 0
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self.waiting = 0
        self.arriving = 0
        self.observe = observe

    async def compute(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function in the thread that computes, in turn with the batches."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    async def aside(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function that takes long in a thread of its own, in turn with others of the kind.

        Raises:
            Refusal: too many wait for that.
        """
        if self._asides >= MOST_ASIDE:
            raise Refusal(503, "Too many such requests are waiting; come again soon.", retry_after=2)
        self._asides += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._aside_pool, function, *args)
        finally:
            self._asides -= 1

    async def alone(self, function: Callable[..., Result], *args: Any) -> Result:
        """As `aside`, while nothing else is computed: for what must not meet another computation of the model.

        Raises:
            Refusal: too many wait for that.
        """
        return await self.aside(lambda: self._pool.submit(function, *args).result())

    async def answers(self, jobs: Sequence[Job]) -> list[Any]:
        """The answers of a request's examples.

        Raises:
            Refusal: the queue is full, or naming the example whose image cannot be read.
        """
        if not jobs:
            return []
        self.check_room(len(jobs))
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._work())
        ticket = Ticket([None] * len(jobs), len(jobs), loop.create_future())
        for index, job in enumerate(jobs):
            lane = self._lanes.setdefault(job.kind, Lane(job.kind))
            lane.items.append(Item(ticket, index, job.values))
        self.waiting += len(jobs)
        self._wanted.set()
        try:
            await ticket.done
        finally:
            if ticket.missing:
                self._drop(ticket)
        return ticket.answers

    def check_room(self, examples: int) -> None:
        """Check that so many more may wait.

        Raises:
            Refusal: too many do.
        """
        if self.waiting and self.waiting + examples > self._limits.queue:
            raise Refusal(503, "Too many examples are waiting; come again soon.", retry_after=1)

    def close(self) -> None:
        """End; nothing more is computed."""
        if self._task is not None:
            self._task.cancel()
        for pool in (self._pool, self._aside_pool):
            pool.shutdown(wait=False, cancel_futures=True)

    def _drop(self, ticket: Ticket) -> None:
        """Take a request's examples out of the queue."""
        self.waiting -= sum(lane.drop(ticket) for lane in self._lanes.values())

    async def _work(self) -> None:
        """Compute what waits, for ever."""
        while True:
            await self._wanted.wait()
            lane = self._next_lane()
            if lane is None:
                self._wanted.clear()
                continue
            if self.arriving and len(lane.items) < self._limits.batch:
                await self._wait_for_others(lane)
            items = lane.take(self._limits.batch)
            self.waiting -= len(items)
            if items:
                await self._answer(lane, items)

    def _next_lane(self) -> Lane | None:
        """The lane that was served longest ago, of those where something waits."""
        for key, lane in self._lanes.items():
            if lane.items:
                self._lanes[key] = self._lanes.pop(key)  # now the last
                return lane
        return None

    async def _wait_for_others(self, lane: Lane) -> None:
        end = asyncio.get_running_loop().time() + self._limits.wait
        while self.arriving and len(lane.items) < self._limits.batch:
            if asyncio.get_running_loop().time() >= end:
                return
            await asyncio.sleep(0)

    async def _answer(self, lane: Lane, items: list[Item]) -> None:
        """Compute a batch; a request that is at fault is refused alone, and the others are computed without it."""
        try:
            found = await self.compute(lane.kind.work, [item.values for item in items])
        except ExampleError:
            bad = await self.compute(_unreadable, lane.kind.model, items)
            left = [item for item in items if item.ticket not in bad]
            for ticket, error in bad.items():
                ticket.refuse(error)
            if bad:
                await self._answer(lane, left) if left else None
            else:
                await self._answer_alone(lane, items)
        except Exception:
            await self._answer_alone(lane, items)
        else:
            self.observe(len(items))
            for item, answer in zip(items, found, strict=True):
                item.ticket.put(item.index, answer)

    async def _answer_alone(self, lane: Lane, items: list[Item]) -> None:
        """Compute a batch request by request, to find the one that cannot be."""
        by_ticket: dict[Ticket, list[Item]] = {}
        for item in items:
            by_ticket.setdefault(item.ticket, []).append(item)
        for ticket, own in by_ticket.items():
            try:
                found = await self.compute(lane.kind.work, [item.values for item in own])
            except ExampleError as error:
                ticket.refuse(Refusal.of_example(error, own[error.index].index))
            except UserError as error:
                ticket.refuse(Refusal(422, str(error)))
            except Exception as error:
                traceback.print_exc()
                ticket.refuse(error)
            else:
                for item, answer in zip(own, found, strict=True):
                    ticket.put(item.index, answer)


def _unreadable(model: Model, items: Sequence[Item]) -> dict[Ticket, Refusal]:
    """The requests with an image that cannot be read, each with what it gets; every image is decoded once."""
    found: dict[Ticket, Refusal] = {}
    for item in items:
        for name, value in item.values.items():
            if not isinstance(value, bytes) or item.ticket in found or model.transform is None:
                continue
            try:
                model.transform(value)
            except BadImage as error:
                reason = f"the image cannot be read: {error}"
                found[item.ticket] = Refusal(422, reason, example=item.index, field=name)
    return found
