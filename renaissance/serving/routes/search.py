"""`POST /search`: the images of a prepared table that go best with a text or an image; and those images."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from renaissance.data.images.decode import FORMATS
from renaissance.serving.body import object_of, only
from renaissance.serving.errors import Refusal, json_response
from renaissance.serving.kinds import JOINT, vectors
from renaissance.serving.limits import MOST_MATCHES
from renaissance.serving.openapi import SEARCH_BODY
from renaissance.serving.queue import Job
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.searching import Searcher
from renaissance.serving.served import ServedModel
from renaissance.serving.service import Service, unless_gone
from renaissance.serving.values import Place, checked

TOP = 12  # matches, where a request does not say how many


def add_search(routes: ModelRoutes) -> None:
    """Add the routes of searches."""
    service = routes.service

    @routes.router.post(
        "/search", summary="Images of a table that go with a text or an image", openapi_extra=SEARCH_BODY
    )
    async def search(request: Request, served: ServedModel = routes.found) -> Response:
        searcher = _searcher(service, served)
        async with service.bodies.read(request) as body:
            given = await object_of(request, body, service.limits, ())
            only(given, ("text", "image", "top"))
            side, value = _query(given, service)
            top = _top(given.get("top", TOP))
            job = Job(vectors(served, JOINT, side), {side: value})
            try:
                (query,) = await unless_gone(request, service.batcher.answers([job]))
            except Refusal as error:
                error.example = None  # a search has one query, and no examples
                raise
        rows = await service.batcher.compute(searcher.search, query, top)
        base = f"/models/{served.name}" if routes.prefix else ""
        return json_response(
            {
                "result": [
                    {"row": row.row, "score": row.score, "captions": row.captions,
                     "image": f"{base}/search/images/{row.row}"}
                    for row in rows
                ]
            }
        )  # fmt: skip

    @routes.router.get("/search/images/{row}", summary="An image of the table")
    async def image(row: int, served: ServedModel = routes.found) -> Response:
        data = _searcher(service, served).image(row)
        if data is None:
            raise Refusal(404, "There is no such row.")
        try:
            kind = Image.MIME[str(Image.open(io.BytesIO(data), formats=FORMATS).format)]
        except Exception:  # Pillow's readers raise anything on damaged bytes
            raise Refusal(404, "The row's image cannot be read.") from None
        return Response(data, media_type=kind)


def _searcher(service: Service, served: ServedModel) -> Searcher:
    if served.name not in service.searchers:
        raise Refusal(404, "No table is prepared for this model: start serve with dataset=… and a contrastive model.")
    return service.searchers[served.name]


def _query(given: dict[str, Any], service: Service) -> tuple[str, Any]:
    sides = [side for side in ("text", "image") if side in given]
    if len(sides) != 1:
        raise Refusal(422, "give a text or an image to search for", field=sides[-1] if sides else "text")
    side = sides[0]
    value = checked(given[side], "text" if side == "text" else "image", Place(None, side), service.limits)
    return side, value


def _top(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:  # out of a form
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_MATCHES:
        raise Refusal(422, f"must be a whole number from 1 to {MOST_MATCHES}", field="top")
    return value
