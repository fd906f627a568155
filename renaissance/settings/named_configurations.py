"""Named configurations that plug-ins define, beside those of `config.py`. Sacred is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from renaissance.registrations import Registrations

Values = Mapping[str, Any]
Function = TypeVar("Function", bound=Callable[[], Values])

REGISTERED: Registrations[Callable[[], Values]] = Registrations("named configuration")


def register_named_config(function: Function) -> Function:
    """Add a named configuration. It stands above a function, as a decorator.

    Example:
        >>> @register_named_config
        ... def task_colour():
        ...     '''Name the colour of the thing in an image.'''
        ...     return {"exp_name": "colour", "loss_names": {"colour": 1}}

    Args:
        function: gives settings by name; its own name is the configuration's, its docstring says what that is for. Of
            `loss_names` the tasks that are not given are off.

    Returns:
        the same function.

    Raises:
        UserError: another named configuration has that name.
    """
    REGISTERED.add(function.__name__, function)
    return function
