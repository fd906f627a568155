"""The application: models that answer over HTTP, for a server, or inside another program or a test.

    app = create_app({"reviews": ServedModel("reviews", renaissance.load("best.ckpt"))})

Addresses without a model's name are those of the first model; every model has the same ones below `/models/<name>`.
Whatever else is asked for is a file of the page (`page/`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

import renaissance
from renaissance.inference.model import Model
from renaissance.pages.html import ASSETS
from renaissance.serving.errors import Refusal
from renaissance.serving.guard import Guard
from renaissance.serving.limits import Limits
from renaissance.serving.metrics import Measured
from renaissance.serving.openapi import RESPONSES
from renaissance.serving.routes.attributions import add_attributions
from renaissance.serving.routes.caption import add_caption
from renaissance.serving.routes.docs import docs_route
from renaissance.serving.routes.embed import add_embed
from renaissance.serving.routes.interface import ModelRoutes
from renaissance.serving.routes.predict import add_predict
from renaissance.serving.routes.search import add_search
from renaissance.serving.routes.state import state_routes
from renaissance.serving.routes.zeroshot import add_zeroshot
from renaissance.serving.searching import Searcher
from renaissance.serving.served import ServedModel
from renaissance.serving.service import TEMPLATES, Access, Service

PAGE = Path(__file__).parent / "page"
SHARED = {"assets/base.css": ASSETS / "page.css", "assets/elements.js": ASSETS / "elements.js"}  # of all pages
ROUTES = (add_predict, add_caption, add_embed, add_zeroshot, add_search, add_attributions)


def create_app(
    models: Mapping[str, ServedModel | Model],
    limits: Limits | None = None,
    access: Access | None = None,
    *,
    searchers: Mapping[str, Searcher] | None = None,
    templates: Sequence[str] = TEMPLATES,
) -> ASGIApp:
    """An application that answers for models.

    Args:
        models: one or more by name; the first is the one of addresses without a name.
        limits: what a request may ask for.
        access: who may ask.
        searchers: what searches prepared tables, by the names of the models that can.
        templates: of zero-shot prompts, where a request gives none.
    """
    served = {
        name: model if isinstance(model, ServedModel) else ServedModel(name, model) for name, model in models.items()
    }
    service = Service(served, limits or Limits(), searchers, templates)
    app = FastAPI(
        title="Renaissance",
        version=renaissance.__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(service),
        responses=RESPONSES,
        redirect_slashes=False,
    )
    app.include_router(state_routes(service))
    for router in _model_routers(service):
        app.include_router(router)
    app.router.routes += [docs_route(app), *_page_routes()]
    _answer_errors(app)
    app.state.service = service
    return Guard(Measured(app, service.metrics), access or Access())


def _model_routers(service: Service) -> list[APIRouter]:
    """The routes of the first model, and those of each by name."""

    async def first() -> ServedModel:
        return service.served(None)

    async def by_name(name: str) -> ServedModel:
        return service.served(name)

    finds: list[tuple[str, Callable[..., Any]]] = [("", first), ("/models/{name}", by_name)]
    every = [ModelRoutes(APIRouter(prefix=prefix, tags=["model"]), service, Depends(find), prefix)
             for prefix, find in finds]  # fmt: skip
    for routes in every:
        for add in ROUTES:
            add(routes)
    return [routes.router for routes in every]


def _page_routes() -> list[Route]:
    """The files of the page; what is no file of it has no address here, whatever its path."""

    def route(address: str, path: Path) -> Route:
        async def file(request: Request) -> Response:
            return FileResponse(path, headers={"Cache-Control": "no-cache"})

        return Route(address, file)

    files = {path.relative_to(PAGE).as_posix(): path for path in sorted(PAGE.rglob("*")) if path.is_file()}
    addresses = {"": files["index.html"], **files, **SHARED}
    return [route(f"/{name}", path) for name, path in addresses.items()]


def _lifespan(service: Service):  # type: ignore[no-untyped-def]  # FastAPI's own type is not public
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(service.warm_up())
        try:
            yield
        finally:
            warming.cancel()
            service.batcher.close()

    return lifespan


def _answer_errors(app: FastAPI) -> None:
    """Give every fault the one form of `errors.py`."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return error.response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        words = {404: "There is nothing of this name.", 405: "This address takes another method."}
        response = Refusal(error.status_code, words.get(error.status_code, "This cannot be answered.")).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return Refusal(422, str(first["msg"]), field=str(first["loc"][-1])[:100]).response()

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        return Refusal(500, "This could not be answered; the server's terminal says why.").response()
