"""What is counted, in Prometheus' text format: requests by address and status, their seconds, batches, the queue.

Each process of a server counts its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from renaissance.serving.batching import Batcher

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of an application.

    Attributes:
        batch: examples of the batches that were computed.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "renaissance_requests", "Requests that were answered", ["address", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "renaissance_request_seconds", "From a request's head to its answer's end", ["address"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self.batch = Histogram(
            "renaissance_batch_examples", "Examples computed at once", buckets=SIZES, registry=self._registry
        )
        self._waiting = Gauge("renaissance_waiting_examples", "Examples in the queue", registry=self._registry)

    def watch(self, batcher: Batcher) -> None:
        """Tell the length of a queue."""
        self._waiting.set_function(lambda: batcher.waiting)

    def answered(self, address: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(address, str(status)).inc()
        self._seconds.labels(address).observe(seconds)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self._registry)


class Measured:
    """An application whose requests are counted.

    Args:
        app: what answers.
        metrics: what counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            # The route's own pattern: what clients write in addresses must not become labels without end.
            address = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(address, status, time.perf_counter() - started)
