"""The tasks a model can be trained on: each file of this folder is one, named as in `loss_names`.

A task file defines `TASK`, its `Task` subclass: what data it reads, its head, its loss and its metrics.
Adding a task is adding a file. What several tasks share lies in `common/`. Listing the names imports none
of them, so that the command line answers without loading PyTorch.
"""

from __future__ import annotations

import functools
import importlib
import operator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from renaissance.models.interface import Sides
    from renaissance.settings import Settings
    from renaissance.tasks.common.task import Task


def task_names() -> list[str]:
    """The names of all tasks, in alphabetical order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def load_task(name: str) -> type[Task]:
    """The `Task` class of a name out of `task_names()`."""
    task: type[Task] = importlib.import_module(f"{__name__}.{name}").TASK
    return task


def joined_sides(settings: Settings) -> Sides:
    """What of a model the active tasks use together."""
    sides = [load_task(name).sides(settings) for name in settings.active_tasks()]
    return functools.reduce(operator.or_, sides)
