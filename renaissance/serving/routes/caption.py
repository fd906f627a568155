"""`POST /caption`: a caption of an image, sent while it is written, as server-sent events.

    event: token, data: {"text": " red"}    …    event: done, data: {"caption": "a red circle"}

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from renaissance.errors import ExampleError
from renaissance.serving.body import object_of, only
from renaissance.serving.errors import Refusal
from renaissance.serving.limits import MOST_STREAMS
from renaissance.serving.openapi import CAPTION_BODY
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.served import ServedModel
from renaissance.serving.service import Service
from renaissance.serving.values import Place, image_of, text_of

UNFINISHED = "\ufffd"  # what a token that holds half a letter is decoded to


def add_caption(routes: ModelRoutes) -> None:
    """Add the route of captions."""
    service = routes.service

    @routes.router.post("/caption", summary="A caption, as it is written", openapi_extra=CAPTION_BODY)
    async def caption(request: Request, served: ServedModel = routes.found) -> Response:
        if served.writer_name is None:
            raise Refusal(404, "This model writes no captions.")
        async with service.bodies.read(request) as body:
            given = await object_of(request, body, service.limits, ())
        only(given, ("image", "prefix"))
        image = image_of(given.get("image", ""), Place(None, "image"), service.limits)
        beginning = text_of(given.get("prefix", ""), Place(None, "prefix"), service.limits)
        if service.streams >= MOST_STREAMS:
            raise Refusal(503, "Too many captions are being written; come again soon.", retry_after=2)
        service.streams += 1
        try:
            growing = served.model.growing_caption(image, beginning)
            first = await service.batcher.compute(next, growing, "")
        except ExampleError as error:
            service.streams -= 1
            raise Refusal.of_example(error, None) from None
        except BaseException:
            service.streams -= 1
            raise
        events = _Counted(service, _events(service, first, growing))
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


class _Counted:
    """Events that count as a stream until they end, also where nobody takes them."""

    def __init__(self, service: Service, events: AsyncIterator[bytes]) -> None:
        self._service = service
        self._events = events
        self._open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._events)
        except BaseException:
            self._end()
            raise

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._service.streams -= 1


async def _events(service: Service, first: str, growing: Iterator[str]) -> AsyncIterator[bytes]:
    """The events of a caption: what each token adds, and the whole."""
    whole, sent = first, ""
    try:
        while True:
            shown = whole.rstrip(UNFINISHED)
            if shown.startswith(sent) and shown != sent:
                yield _event("token", {"text": shown[len(sent) :]})
                sent = shown
            further = await service.batcher.compute(next, growing, None)
            if further is None:
                break
            whole = further
    except Exception:
        traceback.print_exc()
        yield _event("error", {"message": "The caption could not be finished."})
        return
    yield _event("done", {"caption": whole})


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
