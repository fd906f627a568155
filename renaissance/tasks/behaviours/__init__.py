"""How tasks behave: heads, losses and random choices. A task's declaration names its class here, or another's."""

from __future__ import annotations

import functools
import importlib
import operator

from renaissance.errors import UserError
from renaissance.models.interface import Sides
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.task import Task
from renaissance.tasks.declaration import TaskDeclaration
from renaissance.tasks.registry import declaration_of


def load_behaviour(declaration: TaskDeclaration) -> type[Task]:
    """The class that a task's declaration names.

    Raises:
        UserError: it cannot be imported, or is no `Task` subclass.
    """
    where = f"task {declaration.name}: behaviour={declaration.behaviour!r}"
    found: object = declaration.behaviour
    if isinstance(declaration.behaviour, str):
        module, _, name = declaration.behaviour.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except ImportError as error:
            raise UserError(f"{where} cannot be imported: {error}") from error
        except AttributeError as error:
            raise UserError(f"{where}: the module {module} has no class {name}") from error
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UserError(f"{where} is no subclass of renaissance.tasks.common.task.Task")
    return found


def joined_sides(settings: ModelAndTaskSettings) -> Sides:
    """What of a model the active tasks use together."""
    declarations = [declaration_of(name) for name in settings.active_tasks()]
    return functools.reduce(operator.or_, [load_behaviour(one).sides(one, settings) for one in declarations])
