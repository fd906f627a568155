"""Which schedules there are. No PyTorch here: the settings ask for their names and for what they read.

Every file of `declarations/` declares one under `SCHEDULE`. Adding a schedule is adding a file there, and its settings
where it has some of its own.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from functools import cache

from renaissance.training.schedules import declarations
from renaissance.training.schedules.interface import ScheduleDeclaration
from renaissance.training.unread import unread_by


def schedule_names() -> list[str]:
    """The names of all schedules, in alphabetical order."""
    return sorted(_declared())


def declared_schedule(name: str) -> ScheduleDeclaration:
    """The schedule of a name out of `schedule_names()`."""
    return _declared()[name]


def unread_by_schedule(name: str, given: Collection[str]) -> list[str]:
    """The given settings that other schedules read and this one does not, in alphabetical order.

    Args:
        name: the schedule.
        given: names of settings that the user gave.
    """
    return unread_by(name, _declared(), given)


@cache
def _declared() -> dict[str, ScheduleDeclaration]:
    """The schedules by name."""
    modules = pkgutil.iter_modules(declarations.__path__)
    found = [importlib.import_module(f"{declarations.__name__}.{module.name}").SCHEDULE for module in modules]
    return {schedule.name: schedule for schedule in found}
