"""Which optimisers there are. No PyTorch here: the settings ask for their names and for what they read.

Every file of `declarations/` declares some under `OPTIMIZERS`, and plug-ins register theirs (`extend.py`). Adding an
optimiser is adding a file there, and its settings where it has some of its own.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from functools import cache

from renaissance.registrations import Registrations
from renaissance.training.optimizers import declarations
from renaissance.training.optimizers.interface import OptimizerDeclaration
from renaissance.training.unread import unread_by

_registered: Registrations[OptimizerDeclaration] = Registrations("optimiser")


def register_optimizer(optimizer: OptimizerDeclaration) -> None:
    """Add an optimiser to those that `optim_type` may name.

    Args:
        optimizer: a declaration with a name of its own.

    Raises:
        UserError: another optimiser has that name.
    """
    _registered.add(optimizer.name, optimizer, ours=_declared())


def optimizer_names() -> list[str]:
    """The names of all optimisers, in alphabetical order."""
    return sorted(_table())


def declared_optimizer(name: str) -> OptimizerDeclaration:
    """The optimiser of a name out of `optimizer_names()`."""
    return _table()[name]


def unread_settings(name: str, given: Collection[str]) -> list[str]:
    """The given settings that other optimisers read and this one does not, in alphabetical order.

    Args:
        name: the optimiser.
        given: names of settings that the user gave.
    """
    return unread_by(name, _table(), given)


def _table() -> dict[str, OptimizerDeclaration]:
    """The optimisers by name."""
    return _declared() | _registered.things


@cache
def _declared() -> dict[str, OptimizerDeclaration]:
    """The optimisers of `declarations/` by name."""
    found: dict[str, OptimizerDeclaration] = {}
    for module_info in pkgutil.iter_modules(declarations.__path__):
        module = importlib.import_module(f"{declarations.__name__}.{module_info.name}")
        found |= {optimizer.name: optimizer for optimizer in module.OPTIMIZERS}
    return found
