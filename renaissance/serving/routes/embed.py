"""`POST /embed`: vectors of texts and images, in the joint space of both, or pooled features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from renaissance.serving.body import object_of, only
from renaissance.serving.errors import Refusal, json_response
from renaissance.serving.kinds import JOINT, POOLED, vectors
from renaissance.serving.limits import Limits
from renaissance.serving.openapi import EMBED_BODY
from renaissance.serving.queue import Job
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.served import ServedModel
from renaissance.serving.service import Service, unless_gone
from renaissance.serving.values import Place, image_of, json_kind, text_of


def add_embed(routes: ModelRoutes) -> None:
    """Add the route of vectors."""
    service = routes.service

    @routes.router.post("/embed", summary="Vectors of texts and images", openapi_extra=EMBED_BODY)
    async def embed(
        request: Request,
        served: ServedModel = routes.found,
        space: Annotated[Literal["joint", "pooled"] | None, Query(description="joint, where the model has it")] = None,
    ) -> Response:
        chosen = space or (JOINT if served.model.has_joint_space else POOLED)
        if chosen == JOINT and not served.model.has_joint_space:
            raise Refusal(422, "This model has no joint space of texts and images.", field="space")
        async with service.bodies.read(request) as body:
            given = await object_of(request, body, service.limits, ("texts", "images"))
            only(given, ("texts", "images"))
            texts = values_of(given.get("texts", []), "texts", service.limits)
            images = values_of(given.get("images", []), "images", service.limits)
            if len(texts) + len(images) > service.limits.examples:
                raise Refusal(413, f"{service.limits.examples:,} texts and images a request are allowed.")
            _check_sides(served, chosen, texts, images)
            jobs = [Job(vectors(served, chosen, "text"), {"text": text}) for text in texts]
            jobs += [Job(vectors(served, chosen, "image"), {"image": image}) for image in images]
            vecs = await vectors_of(request, service, jobs, len(texts))
        return json_response({"space": chosen, "texts": vecs[: len(texts)], "images": vecs[len(texts) :]})


async def vectors_of(request: Request, service: Service, jobs: Sequence[Job], texts: int) -> list[Any]:
    """The vectors of texts and of the images behind them.

    Args:
        request: whose they are.
        service: what is shared.
        jobs: those of the texts, then those of the images.
        texts: how many are texts.

    Raises:
        Refusal: naming the image that cannot be read, by its place among the images.
    """
    try:
        return await unless_gone(request, service.batcher.answers(jobs))
    except Refusal as error:
        if error.example is not None and error.example >= texts:
            error.example, error.field = error.example - texts, "images"
        raise


def values_of(given: Any, name: str, limits: Limits) -> list[Any]:
    """The texts or the images of a list.

    Args:
        given: what the request has.
        name: of the list, "images" or one of texts.
        limits: what is allowed.

    Raises:
        Refusal: naming the member at fault.
    """
    if not isinstance(given, list):
        raise Refusal(422, f"must be a list, not {json_kind(given)}", field=name)
    if len(given) > limits.examples:
        raise Refusal(413, f"has {len(given):,} members, and {limits.examples:,} are allowed", field=name)
    read = image_of if name == "images" else text_of
    return [read(value, Place(index, name), limits) for index, value in enumerate(given)]


def _check_sides(served: ServedModel, space: str, texts: list[Any], images: list[Any]) -> None:
    model = served.model
    if texts and (model.text is None or not (space == JOINT or model.encoder.text_size)):
        raise Refusal(422, "This model reads no texts.", field="texts")
    if images and model.transform is None:
        raise Refusal(422, "This model looks at no images.", field="images")
