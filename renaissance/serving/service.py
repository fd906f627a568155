"""What all routes share: the models, the limits, the queue, and whether the server is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request

from renaissance.serving.batching import Batcher
from renaissance.serving.body import Bodies
from renaissance.serving.errors import Refusal
from renaissance.serving.examples import ExampleReader
from renaissance.serving.limits import Limits
from renaissance.serving.metrics import Metrics
from renaissance.serving.sample import sample_example
from renaissance.serving.searching import Searcher
from renaissance.serving.served import ServedModel
from renaissance.serving.values import Place, checked

Result = TypeVar("Result")
TEMPLATES = ("a {}", "a photo of a {}")


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        hosts: names of this server in lower case, beside numbers.
        private: whether only this machine can reach it.
        token: what requests must bear; None where they need none.
    """

    hosts: frozenset[str] = frozenset(("localhost",))
    private: bool = True
    token: str | None = field(default=None, repr=False)


class Service:
    """The state of an application.

    Args:
        models: by name; the first is the one of addresses without a name.
        limits: what is allowed.
        searchers: what searches prepared tables, by the names of the models that can.
        templates: of prompts, where a request gives none.

    Attributes:
        metrics: what is counted.
        streams: captions that are being written.
        ready: whether the models are warm.
    """

    def __init__(
        self,
        models: Mapping[str, ServedModel],
        limits: Limits,
        searchers: Mapping[str, Searcher] | None = None,
        templates: Sequence[str] = TEMPLATES,
    ) -> None:
        self.models = dict(models)
        self.limits = limits
        self.bodies = Bodies(limits)
        self.metrics = Metrics()
        self.batcher = Batcher(limits, self.metrics.batch.observe)
        self.metrics.watch(self.batcher)
        self.searchers = dict(searchers or {})
        self.templates = tuple(templates)
        self.streams = 0
        self.readers = {name: ExampleReader(served.model, limits) for name, served in models.items()}
        self.ready = False

    def served(self, name: str | None) -> ServedModel:
        """A model by its name, or the first.

        Raises:
            Refusal: there is none of that name.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Refusal(404, "There is no model of this name; GET /models lists them.")
        return self.models[name]

    async def warm_up(self) -> None:
        """Ask each model what it can be asked, once alone and once in a full batch: first calls take longer."""
        for served in self.models.values():
            for name, task in served.model.tasks.items():
                inputs = served.model.inputs[name]
                sample = sample_example(inputs, task.kind)
                values = {one.field: checked(sample[one.field], one.type, Place(0, ""), self.limits) for one in inputs}
                predictor = served.model.predictor((name,))
                for size in (1, self.limits.batch) if task is not served.writer else (1,):
                    await self.batcher.compute(predictor.answers, [values] * size)
        self.ready = True


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of some work, which is given up when the client goes away. The body has been read.

    Raises:
        Refusal: the client has gone; nobody gets to see it.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Refusal(400, "The client has gone.")
    finally:
        working.cancel()
        gone.cancel()
