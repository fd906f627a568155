"""`zeroshot`: images told apart by their classes' names alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration
from renaissance.commands.probe import names_a_data_set

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _loads_a_model(settings: Settings) -> Iterator[str]:
    if not settings.load_path:
        yield "load_path: say which checkpoint to use, such as load_path=result/clip_scenes/1/checkpoints/best.ckpt"


def _templates_are_there(settings: Settings) -> Iterator[str]:
    if isinstance(settings.templates, str) and not Path(settings.templates).is_file():
        yield f"templates={settings.templates!r}: there is no such file; a list is written '[\"a photo of a {{}}\"]'"


COMMAND = CommandDeclaration(
    name="zeroshot",
    meaning="Tell images apart by their classes' names, without training: with load_path=<checkpoint> dataset=<name>.",
    work="renaissance.inference.classes.zeroshot:zeroshot",
    needs=(_loads_a_model, names_a_data_set, _templates_are_there),
    builds_a_model=True,
)
