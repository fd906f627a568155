"""Which trackers there are, and which of them a run has.

Every file of this folder that has a `TRACKER` is a tracker, and so is every class that a plug-in registers
(`extend.py`). A run has those whose `wanted(settings)` says so. Adding a tracker is adding a file, and its setting
where it has one.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import TypeVar

from renaissance.errors import UserError
from renaissance.registrations import Registrations
from renaissance.settings import Settings
from renaissance.tracking.trackers.interface import Tracker

TrackerClass = TypeVar("TrackerClass", bound=type[Tracker])


_registered: Registrations[type[Tracker]] = Registrations("tracker")


def register_tracker(tracker: TrackerClass) -> TrackerClass:
    """Add a tracker to those that runs may have. It can stand above the class, as a decorator.

    Args:
        tracker: a `Tracker` subclass with a name of its own.

    Returns:
        the same class.

    Raises:
        UserError: it is no such class, has no name, or another tracker has that name.
    """
    if not (isinstance(tracker, type) and issubclass(tracker, Tracker)):
        raise UserError(f"{tracker!r} is no tracker: register a subclass of {Tracker.__module__}.Tracker.")
    name = getattr(tracker, "name", None)
    if not name:
        raise UserError(f'tracker {tracker.__qualname__}: has no name. Give its class one, such as name = "notes".')
    _registered.add(name, tracker, ours=_of_this_folder())
    return tracker


def tracker_classes() -> list[type[Tracker]]:
    """Every tracker, in the order in which trackers are told."""
    return sorted(_table().values(), key=lambda tracker: (tracker.order, tracker.name))


def trackers_of(settings: Settings) -> list[Tracker]:
    """The trackers of a run with these settings, not started yet."""
    return [tracker() for tracker in tracker_classes() if tracker.wanted(settings)]


def _table() -> dict[str, type[Tracker]]:
    """The trackers by name."""
    return _of_this_folder() | _registered.things


@cache
def _of_this_folder() -> dict[str, type[Tracker]]:
    """The trackers that have a file here, by name."""
    found: dict[str, type[Tracker]] = {}
    for module_info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{module_info.name}")
        tracker: type[Tracker] | None = getattr(module, "TRACKER", None)
        if tracker is not None:
            found[tracker.name] = tracker
    return found
