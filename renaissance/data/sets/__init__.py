"""The data sets: the files of this folder, found by being there, and what plug-ins register. No torch is imported."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import TypeVar

from renaissance.data.sets.interface import DataSet
from renaissance.errors import UserError
from renaissance.registrations import Registrations

DataSetClass = TypeVar("DataSetClass", bound=type[DataSet])

_registered: Registrations[DataSet] = Registrations("data set")


def data_sets() -> dict[str, DataSet]:
    """Every data set by its name: those of this folder, then what was registered."""
    return _of_this_folder() | _registered.things


def register_data_set(data_set: DataSetClass) -> DataSetClass:
    """Add a data set to those that `datasets` and `prepare` may name. It can stand above the class, as a decorator.

    Args:
        data_set: a `DataSet` subclass that is made without arguments, with a name of its own.

    Returns:
        the same class.

    Raises:
        UserError: it is no such class, lacks a method, or another data set has that name.
    """
    if not (isinstance(data_set, type) and issubclass(data_set, DataSet)):
        raise UserError(f"{data_set!r} is no data set: register a subclass of {DataSet.__module__}.DataSet.")
    lacking = [name for name in ("name", "schemas") if not hasattr(data_set, name)]
    lacking += sorted(data_set.__abstractmethods__)
    if lacking:
        raise UserError(f"data set {data_set.__qualname__}: lacks {', '.join(lacking)} (see {DataSet.__module__}).")
    _registered.add(data_set.name, data_set(), ours=_of_this_folder())
    return data_set


@cache
def _of_this_folder() -> dict[str, DataSet]:
    """The data sets that have a file here, by name."""
    found: dict[str, DataSet] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, DataSet) and not inspect.isabstract(member) and member.__module__ == module.__name__:
                data_set = member()
                found[data_set.name] = data_set
    return found
