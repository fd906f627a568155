"""`export`: a checkpoint's encoders as Hugging Face folders, or its tasks and encoders as ONNX files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _export_from_and_to(settings: Settings) -> Iterator[str]:
    if not settings.load_path:
        yield "load_path: say which checkpoint to export, such as load_path=result/mlm_itm/1/checkpoints/best.ckpt"
    if settings.export_dir is None:
        yield "export_dir: say where the folders go, such as export_dir=exported"
    elif Path(settings.export_dir).is_file():
        yield f"export_dir={settings.export_dir!r}: is a file; give a folder that is not there yet"
    elif Path(settings.export_dir).is_dir() and any(Path(settings.export_dir).iterdir()):
        yield f"export_dir={settings.export_dir!r}: is not empty, and nothing is overwritten; give a new folder"


COMMAND = CommandDeclaration(
    name="export",
    meaning="Write a checkpoint's encoders as Hugging Face folders, or with export_format=onnx all that it answers as "
    "ONNX: with load_path=<checkpoint> export_dir=<folder>.",
    work="renaissance.inference.export:export",
    needs=(_export_from_and_to,),
    builds_a_model=True,
)
