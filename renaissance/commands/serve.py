"""`serve`: trained models that answer over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _models(settings: Settings) -> Iterator[str]:
    models = settings.serve_models
    if not settings.load_path and not models:
        yield "load_path: say which checkpoint to serve, such as load_path=result/quickstart/1/checkpoints/best.ckpt"
    if settings.load_path and models:
        yield "load_path and serve_models cannot both be given: name all models in serve_models"
    for path in models.values() if isinstance(models, dict) else models:
        if not Path(path).is_file():
            yield f"load_path: {path!r}: there is no such checkpoint file"


def _images(settings: Settings) -> Iterator[str]:
    if settings.serve_images is not None and not Path(settings.serve_images).is_dir():
        yield f"serve_images={settings.serve_images!r}: there is no such folder"


COMMAND = CommandDeclaration(
    name="serve",
    meaning="Answer over HTTP with trained models, and a page to try them: with load_path=<checkpoint> port=8000.",
    work="renaissance.serving.start:serve",
    needs=(_models, _images),
    builds_a_model=True,
)
