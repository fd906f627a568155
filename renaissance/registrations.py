"""What is registered from outside the package: one `Registrations` for tasks, one for data sets, and so on.

Comes in: things by name, from plug-ins and notebooks. Goes out: the same things by name, or a `UserError` where two
have one name. The functions that users call are in `extend.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from renaissance.errors import UserError

Thing = TypeVar("Thing")

PACKAGE = __name__.partition(".")[0]
INTERACTIVE = "__main__"  # where a cell of a notebook runs, which is changed and run again

_kinds: list[Registrations[Any]] = []


@dataclass(frozen=True)
class Place:
    """Where something was registered: the module, its file and the line."""

    module: str
    file: str
    line: int


class Registrations(Generic[Thing]):
    """The things of one kind that were registered, by name.

    Args:
        kind: what they are, in words for messages, such as "task".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, Thing] = {}
        self._places: dict[str, Place] = {}
        _kinds.append(self)

    @property
    def things(self) -> dict[str, Thing]:
        """What was registered so far, by name."""
        return dict(self._things)

    def place(self, name: str) -> Place:
        """Where the thing of a name was registered."""
        return self._places[name]

    def add(self, name: str, thing: Thing, ours: Collection[str] = ()) -> None:
        """Register a thing. The same lines that run once more put the new thing in the place of the old one.

        Args:
            name: its name.
            thing: what is called so.
            ours: the names that the package itself has.

        Raises:
            UserError: the name is no identifier, or another has it.
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise UserError(f"{self.kind} {name!r}: its name must be letters, digits and _, no digit first.")
        taken = f"{self.kind} {name}: there is one of this name already"
        if name in ours:
            raise UserError(f"{taken}, of Renaissance itself. Take another name.")
        place, known = _caller(), self._places.get(name)
        again = known == place or (known is not None and known.module == place.module == INTERACTIVE)
        if known is not None and self._things[name] is not thing and not again:
            raise UserError(f"{taken}, of {known.file}, line {known.line}. Take another name.")
        self._things[name], self._places[name] = thing, place


@contextmanager
def undone_on_error() -> Iterator[None]:
    """Around code that registers: where it fails, nothing that it registered stays."""
    before = [(one, dict(one._things), dict(one._places)) for one in _kinds]
    try:
        yield
    except BaseException:
        for one, things, places in before:
            one._things, one._places = things, places
        raise


def _caller() -> Place:
    """Where the code outside the package is that registers."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == PACKAGE:
        frame = frame.f_back
    return Place(str(frame.f_globals.get("__name__")), frame.f_code.co_filename, frame.f_lineno)
