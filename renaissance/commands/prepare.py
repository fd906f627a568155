"""`prepare`: a data set's Arrow tables from its raw files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.discovery import suggestion

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _data_set_to_prepare(settings: Settings) -> Iterator[str]:
    from renaissance.data.sets import data_sets  # here, since only `prepare` needs them, and they take time

    known = data_sets()
    if settings.dataset is None:
        yield f"dataset: say what to prepare, such as dataset=coco (data sets: {', '.join(known)})"
    elif settings.dataset not in known:
        near = suggestion(settings.dataset, known)
        yield f"dataset={settings.dataset!r}: there is no such data set{near} (data sets: {', '.join(known)})"
    elif settings.raw_root is None and not known[settings.dataset].draws_itself:
        yield f"raw_root: say where the raw files of {settings.dataset} lie, such as raw_root=/data/{settings.dataset}"


COMMAND = CommandDeclaration(
    name="prepare",
    meaning="Write a data set's Arrow tables from its raw files: with dataset=<name> raw_root=<folder>.",
    work="renaissance.data.preparing.prepare:prepare",
    needs=(_data_set_to_prepare,),
    builds_a_model=False,
)
