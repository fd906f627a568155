"""The data sets, one file each: found by looking into this folder. No torch is imported here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from renaissance.data.sets.interface import DataSet


@cache
def data_sets() -> dict[str, DataSet]:
    """Every data set of this folder by its name."""
    found: dict[str, DataSet] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, DataSet) and not inspect.isabstract(member) and member.__module__ == module.__name__:
                data_set = member()
                found[data_set.name] = data_set
    return found
