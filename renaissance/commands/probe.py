"""`probe`: a linear probe and nearest neighbours on an encoder's frozen features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration
from renaissance.settings.discovery import suggestion

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def names_a_data_set(settings: Settings) -> Iterator[str]:
    """`dataset` is one that there is."""
    from renaissance.data.sets import data_sets  # here, since they take time

    known = data_sets()
    if settings.dataset is None:
        yield "dataset: say which data set's classes are to be told apart, such as dataset=cifar10"
    elif settings.dataset not in known:
        near = suggestion(settings.dataset, known)
        yield f"dataset={settings.dataset!r}: there is no such data set{near} (data sets: {', '.join(known)})"


COMMAND = CommandDeclaration(
    name="probe",
    meaning="Probe an encoder's frozen features for classes: with load_path=<checkpoint> dataset=<name>.",
    work="renaissance.inference.classes.probe:probe",
    needs=(names_a_data_set,),
    builds_a_model=True,
)
