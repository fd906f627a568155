"""The tasks that there are, by name: each file of this folder is one, and plug-ins register theirs.

A task's file sets `TASK` to its `TaskDeclaration`. Files are read when they are asked for; none of them imports
PyTorch, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from renaissance.registrations import Registrations
from renaissance.tasks.declaration import Metric, TaskDeclaration

NO_TASKS = ("__init__", "declaration", "registry")  # files of this folder

_registered: Registrations[TaskDeclaration] = Registrations("task")


def task_names() -> list[str]:
    """The names of all tasks, in alphabetical order."""
    return sorted(_files() | _registered.things.keys())


def is_task(name: str) -> bool:
    """Whether there is a task of a name."""
    return name in _files() or name in _registered.things


def declaration_of(name: str) -> TaskDeclaration:
    """What is known of a task.

    Args:
        name: a name out of `task_names()`.

    Raises:
        KeyError: there is no such task.
        ValueError: its file declares a task of another name.
    """
    return _read(name) if name in _files() else _registered.things[name]


def metric_of(task: str, metric: str) -> Metric | None:
    """A metric as its task declares it; None where it does not, or there is no such task."""
    return declaration_of(task).metric(metric) if is_task(task) else None


def own_monitor(task: str) -> str:
    """The metric that a task alone is judged by; the loss of one that there is not."""
    return declaration_of(task).monitor if is_task(task) else "loss"


def recorded_name(name: str) -> str:
    """The name that a run records of a task, where `name` is that or an older one; otherwise `name` itself."""
    names = task_names()
    if name in names:
        return name
    return next((task for task in names if name in declaration_of(task).older_names), name)


def register_task(declaration: TaskDeclaration) -> None:
    """Add a task to those that `loss_names` may name.

    Args:
        declaration: the task.

    Raises:
        UserError: another task has that name.
    """
    _registered.add(declaration.name, declaration, ours=_files())


@cache
def _files() -> frozenset[str]:
    """The names of the tasks that have files in this folder."""
    return frozenset(path.stem for path in Path(__file__).parent.glob("*.py")) - frozenset(NO_TASKS)


@cache
def _read(name: str) -> TaskDeclaration:
    """The declaration in the file of a task."""
    declaration: TaskDeclaration = importlib.import_module(f"{__package__}.{name}").TASK
    if declaration.name != name:
        raise ValueError(f"tasks/{name}.py declares the task {declaration.name!r}: the two names must be one")
    return declaration
