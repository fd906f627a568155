"""`POST /zeroshot`: which of some labels an image goes with, for models with a joint space of texts and images."""

from __future__ import annotations

from typing import Any

import torch
from starlette.requests import Request
from starlette.responses import Response

from renaissance.inference.classes.prompts import PLACE, best_classes, mean_vectors, prompts_of
from renaissance.inference.model import Model
from renaissance.serving.body import object_of, only
from renaissance.serving.errors import Refusal, json_response
from renaissance.serving.kinds import JOINT, vectors
from renaissance.serving.limits import MOST_PROMPTS
from renaissance.serving.openapi import ZEROSHOT_BODY
from renaissance.serving.queue import Job
from renaissance.serving.routes.embed import values_of, vectors_of
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.served import ServedModel


def add_zeroshot(routes: ModelRoutes) -> None:
    """Add the route of labels."""
    service = routes.service

    @routes.router.post("/zeroshot", summary="Which of some labels images go with", openapi_extra=ZEROSHOT_BODY)
    async def zeroshot(request: Request, served: ServedModel = routes.found) -> Response:
        if not served.model.has_joint_space:
            raise Refusal(404, "This model has no joint space of texts and images.")
        async with service.bodies.read(request) as body:
            given = await object_of(request, body, service.limits, ("images", "labels", "templates"))
            only(given, ("images", "labels", "templates"))
            images = values_of(given.get("images", []), "images", service.limits)
            labels = values_of(given.get("labels", []), "labels", service.limits)
            templates = values_of(given.get("templates", list(service.templates)), "templates", service.limits)
            _check(labels, templates)
            text, image = vectors(served, JOINT, "text"), vectors(served, JOINT, "image")
            prompts = prompts_of(labels, templates)
            jobs = [Job(text, {"text": prompt}) for prompt in prompts]
            jobs += [Job(image, {"image": data}) for data in images]
            vecs = await vectors_of(request, service, jobs, len(prompts))
        return json_response({"result": _answers(served.model, labels, vecs, len(prompts))})


def _check(labels: list[str], templates: list[str]) -> None:
    if not labels:
        raise Refusal(422, "give at least one label", field="labels")
    if len(set(labels)) < len(labels):
        raise Refusal(422, "has a label twice", field="labels")
    if not templates:
        raise Refusal(422, "give at least one template, or leave them out", field="templates")
    for index, template in enumerate(templates):
        if template.count(PLACE) != 1:
            raise Refusal(422, f"must have {PLACE} once, where the label goes", example=index, field="templates")
    if len(labels) * len(templates) > MOST_PROMPTS:
        raise Refusal(413, f"labels times templates are more than {MOST_PROMPTS:,}, which are allowed", field="labels")


def _answers(model: Model, labels: list[str], found: list[Any], prompts: int) -> list[dict[str, Any]]:
    """The likeliest label of each image, and the probability of every label."""
    if len(found) == prompts:
        return []
    classes = mean_vectors(torch.tensor(found[:prompts]), len(labels))  # (C, E)
    images = torch.tensor(found[prompts:])  # (N, E)
    assert model.scale is not None
    scaled = model.scale * images @ classes.T
    chances = scaled.softmax(-1) if model.bias is None else (scaled + model.bias).sigmoid()
    best = best_classes(images, classes, 1)[:, 0].tolist()
    return [
        {"answer": labels[number], "probabilities": dict(zip(labels, row, strict=True))}
        for number, row in zip(best, chances.tolist(), strict=True)
    ]
