"""The tasks that there are, by name: each file of this folder is one, and plug-ins register theirs.

A task's file sets `TASK` to its `TaskDeclaration`. Files are read when they are asked for; none of them imports
PyTorch, so that the command line answers at once.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from renaissance.tasks.declaration import TaskDeclaration

NO_TASKS = ("__init__", "declaration", "registry")  # files of this folder

_registered: dict[str, TaskDeclaration] = {}  # from outside the package, by name


def task_names() -> list[str]:
    """The names of all tasks, in alphabetical order."""
    return sorted(_files() | _registered.keys())


def declaration_of(name: str) -> TaskDeclaration:
    """What is known of a task.

    Args:
        name: a name out of `task_names()`.

    Raises:
        KeyError: there is no such task.
        ValueError: its file declares a task of another name.
    """
    return _read(name) if name in _files() else _registered[name]


def register(declaration: TaskDeclaration) -> None:
    """Add a task from outside the package.

    Args:
        declaration: the task.

    Raises:
        ValueError: there is a task of that name already.
    """
    if declaration.name in task_names():
        raise ValueError(f"there is a task {declaration.name!r} already; give this one another name")
    _registered[declaration.name] = declaration


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
