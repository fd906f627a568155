"""`POST /predict`: what a model's tasks say of examples; and `GET /info`, what it can be asked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from renaissance.serving.body import FORM, content_type, form_of, json_of
from renaissance.serving.errors import json_response
from renaissance.serving.examples import examples_of_parts
from renaissance.serving.kinds import prediction
from renaissance.serving.openapi import PREDICT_BODY
from renaissance.serving.queue import Job
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.served import ServedModel
from renaissance.serving.service import unless_gone


def add_predict(routes: ModelRoutes) -> None:
    """Add the routes of predictions, and of what can be asked."""
    service = routes.service

    @routes.router.get("/info", summary="What the model can be asked")
    async def info(served: ServedModel = routes.found) -> Response:
        return json_response(
            {
                "name": served.name,
                "checkpoint": served.checkpoint,
                "step": served.step,
                "tasks": served.tasks(),
                "parts": served.parts(),
                "training": served.training,
                "can": served.can(service.searchers),
                "limits": service.limits.plain(),
            }
        )

    @routes.router.post("/predict", summary="What the tasks say of examples", openapi_extra=PREDICT_BODY)
    async def predict(
        request: Request,
        served: ServedModel = routes.found,
        task: Annotated[str | None, Query(description="One task; else all that an example fits")] = None,
    ) -> Response:
        reader = service.readers[served.name]
        reader.task_named(task)
        async with service.bodies.read(request) as body:
            service.batcher.arriving += 1
            try:
                if content_type(request) == FORM:
                    parts = await form_of(request, body, service.limits)
                    given: Any = examples_of_parts(parts, reader.fields)
                else:
                    given = await json_of(request, body)
                asked = reader.read(given, task)
                jobs = [Job(prediction(served, one.tasks), one.values) for one in asked]
            finally:
                service.batcher.arriving -= 1
            answers = await unless_gone(request, service.batcher.answers(jobs))
        return json_response({"result": answers})
