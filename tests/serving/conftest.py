"""Tiny models, applications over them, and a server in a process of its own."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import renaissance
from renaissance.serving.app import create_app
from renaissance.serving.limits import Limits
from renaissance.serving.service import Access
from tests.command_line import ROOT
from tests.inference.conftest import rows, trained
from tests.serving.pages import page_models, serve, server, shown
from tests.training.conftest import pretrained, run, scenes_root

__all__ = ["page_models", "pretrained", "rows", "run", "scenes_root", "serve", "server", "shown", "trained"]

TASKS = {
    "pair": "task_mlm_itm",
    "text": "task_finetune_imdb",
    "image": "task_finetune_cifar10",
    "clip": "task_clip_scenes",
    "caption": "task_foundation_captioning",
    "ref": "task_finetune_ref",
}


@pytest.fixture(scope="session")
def models(trained: Callable[..., Path]) -> dict[str, Any]:
    """A model of each kind, by name."""
    return {name: renaissance.load(trained(task)) for name, task in TASKS.items()}


@pytest.fixture(scope="session")
def client(models: dict[str, Any]) -> Iterator[TestClient]:
    """Asks an application over all models."""
    with TestClient(create_app(models), base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def asking() -> Callable[..., TestClient]:
    """Makes a client of an application over a model, with limits and access of its own; not warmed up."""

    def make(model: Any, access: Access | None = None, **limits: Any) -> TestClient:
        return TestClient(create_app({"one": model}, Limits(**limits), access), base_url="http://localhost")

    return make


def plain(data: bytes) -> str:
    """An image file as requests hold it."""
    return base64.b64encode(data).decode()


class Served:
    """A server in a process of its own.

    Args:
        words: settings behind `serve with`.
        start_new_session: whether it is alone in a session, as a terminal starts it.
    """

    def __init__(self, *words: str, start_new_session: bool = False) -> None:
        command = [sys.executable, "run.py", "serve", "with", "port=0", *words]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=start_new_session,
        )
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                return
        raise AssertionError(self.printed)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit status."""
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        self.printed += rest
        return self.process.returncode


@pytest.fixture(scope="session")
def checkpoint(trained: Callable[..., Path]) -> Path:
    """A checkpoint of a text classifier."""
    return trained(TASKS["text"])
