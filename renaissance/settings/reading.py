"""Which settings a command has read while it worked, so that it can say which of those that it was given it did not.

Comes in: settings, while a command works with them. Goes out: names. Every access is noted as it happens, so nothing
has to declare what it reads. Whoever takes all of them, for a copy say, counts as having read all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from renaissance.settings.marked import read_by_commands
from renaissance.settings.schema import Settings

TAKE_ALL = ("__dict__", "model_dump", "model_dump_json", "model_copy")
READ_BEFORE = ("plugins",)  # whatever the command


@contextmanager
def noting_reads(settings: Settings) -> Iterator[set[str]]:
    """Note which of some settings are read while the block runs, by whatever thread; of other `Settings` nothing."""
    found: set[str] = set()
    fields = Settings.model_fields.keys()
    plain = Settings.__getattribute__

    def noting(self: Settings, name: str) -> Any:
        if self is settings:
            found.update(fields if name in TAKE_ALL else {name} & fields)
        return plain(self, name)

    Settings.__getattribute__ = noting  # type: ignore[method-assign, assignment]
    try:
        yield found
    finally:
        del Settings.__getattribute__


def unread_in_words(command: str, given: Collection[str], read: Collection[str]) -> str | None:
    """What to say of settings that a command was given and did not read; None where it has read all.

    Those that are a command's own are no mistake, where it found nothing to do with them.

    Args:
        command: its name.
        given: the settings on the command line, by name.
        read: those that it has read.
    """
    known = {*READ_BEFORE, *read, *(name for name, readers in read_by_commands().items() if command in readers)}
    unread = [name for name in given if name in Settings.model_fields and name not in known]
    return f"without effect: {command} did not read {', '.join(unread)}" if unread else None
