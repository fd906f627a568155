"""What is known of a command before it is at work: its meaning, what it needs of the settings. No PyTorch here.

Each file `commands/<name>.py` sets `COMMAND` to a `CommandDeclaration`. `run.py` makes a command of it, `help` and
completion tell of it, and the settings are checked for it; what does the work is imported when it is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

# Where settings are given here, they are `Settings`. Their check asks for the commands' needs, so naming that type here
# would close a circle of imports.
Check = Callable[[Any], Iterator[str]]  # yields faults, a line each


@dataclass(frozen=True)
class CommandDeclaration:
    """A command of the command line.

    Attributes:
        name: its name, that of its file.
        meaning: what it does, in a line with how it is called; `help` and completion show it.
        work: the function that does it with the checked settings, as "package.module:function".
        needs: what it needs of the settings; each yields faults. Where a setting that one reads is at fault itself, it
            is left out.
        starts_runs: whether it starts runs, for which its work gets the command line (`run_sets/command_line.py`) too.
        builds_a_model: whether it reads checkpoints or encoders, whose files then have to be there.
    """

    name: str
    meaning: str
    work: str
    needs: tuple[Check, ...]
    builds_a_model: bool
    starts_runs: bool = False

    def function(self) -> Callable[..., object]:
        """What does the work, imported now."""
        module, _, name = self.work.partition(":")
        function: Callable[..., object] = getattr(importlib.import_module(module), name)
        return function
