"""Whether the server lives and is ready, and which models it has."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from renaissance.serving.errors import Refusal, json_response
from renaissance.serving.service import Service


def state_routes(service: Service) -> APIRouter:
    """The routes that are about the server."""
    router = APIRouter(tags=["server"])

    @router.get("/health", summary="Whether the server lives")
    async def health() -> Response:
        return json_response({"status": "alive"})

    @router.get("/ready", summary="Whether the models are loaded and warm")
    async def ready() -> Response:
        if not service.ready:
            raise Refusal(503, "The models are being warmed up.", retry_after=1)
        return json_response({"status": "ready"})

    @router.get("/models", summary="The names of the models")
    async def models() -> Response:
        return json_response({"models": list(service.models)})

    @router.get("/metrics", summary="What was counted, as Prometheus reads it")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
