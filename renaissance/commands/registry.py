"""The commands that there are, by name: each file of this folder is one, and none of them imports PyTorch."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from renaissance.commands.declaration import CommandDeclaration

NO_COMMANDS = ("__init__", "declaration", "registry")  # files of this folder


@cache
def commands() -> dict[str, CommandDeclaration]:
    """Every command by its name, in alphabetical order.

    Raises:
        ValueError: a file declares a command of another name.
    """
    names = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - set(NO_COMMANDS))
    found: dict[str, CommandDeclaration] = {
        name: importlib.import_module(f"{__package__}.{name}").COMMAND for name in names
    }
    for name, command in found.items():
        if command.name != name:
            raise ValueError(f"commands/{name}.py declares the command {command.name!r}: the two names must be one")
    return found
