"""What tests of the page share: a server of tiny models in this process, and what a user does with the page."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import uvicorn
from PIL import Image

import renaissance
from renaissance.serving.app import create_app


class Running:
    """A server in a thread of its own; at any port, or at one that is free."""

    def __init__(self, app: Any, port: int = 0) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until(lambda: self.server.started)
        self.address = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}/"

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)

    def asked(self, path: str, body: Any) -> Any:
        """What the server answers without a browser."""
        request = Request(self.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=20) as answer:
            return json.load(answer)


def until(holds: Callable[[], bool], page: Any = None) -> None:
    """Wait until something holds; with a page, what it asks is heard of meanwhile."""
    for _ in range(200):
        if holds():
            return
        if page is None:
            time.sleep(0.05)
        else:
            page.wait_for_timeout(50)
    pytest.fail("waited for 10 seconds")


@pytest.fixture(scope="session")
def page_models(models: dict[str, Any], trained: Callable[..., Path]) -> dict[str, Any]:
    """The models of each kind, and those that read two pictures or two texts."""
    pairs = {name: renaissance.load(trained(f"task_finetune_{name}")) for name in ("nlvr2", "mrpc")}
    return {**models, **pairs}


@pytest.fixture(scope="session")
def server(page_models: dict[str, Any]) -> Iterator[Running]:
    """A server of all models."""
    running = Running(create_app(page_models))
    yield running
    running.stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Starts servers of other applications."""
    with ExitStack() as stack:

        def start(app: Any, port: int = 0) -> Running:
            running = Running(app, port)
            stack.callback(running.stop)
            return running

        yield start


@pytest.fixture
def shown(server: Running, open_page: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Opens a tab of a model; what is asked of another origin fails the test."""
    asked: list[str] = []

    def show(model: str, tab: str, **options: Any) -> Any:
        page = open_page("about:blank", **options)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.address}#model={model}&tab={tab}")
        page.locator("#work .card").first.wait_for()
        return page

    yield show
    assert all(url.startswith((server.address, "data:", "blob:")) for url in asked), asked


def picture(*, turned: bool = False) -> bytes:
    """A picture that is red on one side; turned by its EXIF data, or not."""
    image = Image.new("RGB", (120, 80), "white")
    image.paste((215, 35, 40), (0, 0, 50, 80))
    exif = Image.Exif()
    exif[274] = 6 if turned else 1
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def drop(page: Any, data: bytes, field: str = ".field.picture >> nth=0", name: str = "dropped.jpg") -> None:
    """Drop a file on the first field for pictures, or on another element."""
    held = page.evaluate_handle(
        """([text, name]) => { const held = new DataTransfer();
        const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
        held.items.add(new File([bytes], name, {type: "image/jpeg"})); return held; }""",
        [base64.b64encode(data).decode(), name],
    )
    page.locator(field).dispatch_event("drop", {"dataTransfer": held})


def bars(page: Any) -> dict[str, float]:
    """The values of the bars by label, once the answer has come."""
    page.locator(".answer:not(.stale) .bars li").first.wait_for()
    rows = page.locator(".answer .bars li").all()
    return {row.get_attribute("data-label"): float(row.get_attribute("data-value")) for row in rows}
