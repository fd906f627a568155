"""`POST /attributions`: which patches of the pictures and which words an answer rests on."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from renaissance.attributions import Attribution, attention, occlusion
from renaissance.errors import ExampleError, UserError
from renaissance.inference.model import Model
from renaissance.serving.body import json_object_of, only
from renaissance.serving.errors import Refusal, json_response
from renaissance.serving.openapi import ATTRIBUTIONS_BODY
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.served import ServedModel
from renaissance.serving.service import unless_gone

METHODS = ("occlusion", "attention")


def add_attributions(routes: ModelRoutes) -> None:
    """Add the route of attributions."""
    service = routes.service

    @routes.router.post("/attributions", summary="What an answer rests on", openapi_extra=ATTRIBUTIONS_BODY)
    async def attributions(request: Request, served: ServedModel = routes.found) -> Response:
        async with service.bodies.read(request) as body:
            given = await json_object_of(request, body)
            only(given, ("example", "task", "method", "target", "word"))
            task, method = _task(given, served), _method(given)
            reader = service.readers[served.name]
            (asked,) = reader.read([given.get("example", {})], task)
            aim = _aim(given, method)
            # Recording attention would take in what is computed beside it.
            call = service.batcher.alone if method == "attention" else service.batcher.aside
            work = call(_attribution, served.model, method, asked.values, asked.tasks[0], aim)
            answer = await unless_gone(request, work)
        return json_response(answer.plain())


def _attribution(model: Model, method: str, example: dict[str, Any], task: str, aim: Any) -> Attribution:
    """What the answer rests on.

    Raises:
        Refusal: there is nothing to tell.
    """
    try:
        if method == "attention":
            return attention(model, example, task, word=aim)
        return occlusion(model, example, task, target=aim)
    except ExampleError as error:
        raise Refusal.of_example(error, 0) from None
    except UserError as error:
        raise Refusal(422, str(error)) from None


def _task(given: dict[str, Any], served: ServedModel) -> str:
    tasks = list(served.model.tasks)
    task = given.get("task", tasks[0] if len(tasks) == 1 else None)
    if not isinstance(task, str) or task not in tasks:
        raise Refusal(422, f"must be one of this model's tasks: {', '.join(tasks)}", field="task")
    return task


def _method(given: dict[str, Any]) -> str:
    method = given.get("method", METHODS[0])
    if method not in METHODS:
        raise Refusal(422, f"must be {' or '.join(METHODS)}", field="method")
    return str(method)


def _aim(given: dict[str, Any], method: str) -> str | int | None:
    """The class whose probability, or the word whose attention, is asked for; None for the answer's own."""
    name, other = ("word", "target") if method == "attention" else ("target", "word")
    if other in given:
        raise Refusal(422, f"{method} takes {name}, and not {other}", field=other)
    aim = given.get(name)
    kinds = (int,) if name == "word" else (int, str)
    if aim is not None and (isinstance(aim, bool) or not isinstance(aim, kinds)):
        raise Refusal(422, f"must be {'a whole number' if name == 'word' else 'a class'}", field=name)
    return aim
