"""What the command line says of settings and named configurations: `help <name>` and `print_config`.

Comes in: `config.py` as text (groups and comments), the types of `Settings`, the named configurations. Goes out: text
for the terminal. Nothing here imports PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import groupby
from typing import Any

from renaissance.errors import UserError
from renaissance.settings.check import allowed_words
from renaissance.settings.discovery import suggestion
from renaissance.settings.schema import Settings
from renaissance.settings.table import CONFIG, Row, anchor, read_defaults

NamedConfiguration = Callable[[], Mapping[str, Any]]
PAGE = "docs/settings.md"
VALUE_WIDTH = 44  # characters of `name = value` before its comment; longer ones push theirs to the right


def help_for_name(name: str, commands: Collection[str], named: Mapping[str, NamedConfiguration]) -> str:
    """What a setting or a named configuration is.

    Args:
        name: the word that was asked for, no command.
        commands: the commands' names, for the question what was meant.
        named: the named configurations.

    Raises:
        UserError: there is no such thing; the nearest name is suggested.
    """
    for row in _rows():
        if row.name == name:
            return _setting(row, named)
    if name in named:
        return _named(name, named[name])
    near = suggestion(name, [*commands, *named, *Settings.model_fields])
    raise UserError(f"There is no command, setting or named configuration {name!r}{near}")


def grouped_settings(values: Mapping[str, Any], changed: Collection[str]) -> str:
    """All settings in the groups and the order of `config.py`, with its comments; changed ones have a star.

    Args:
        values: the resolved settings by name.
        changed: the names of those that are not the defaults.
    """
    parts = ["Settings, * where they are not the default:"]
    for group, rows in groupby(_rows(), lambda row: row.group):
        lines = [_line(row, values[row.name], row.name in changed) for row in rows]
        parts.append("\n".join([f"\n{group}", *lines]))
    return "\n".join(parts)


def _rows() -> list[Row]:
    return read_defaults(CONFIG.read_text(encoding="utf-8"))


def _line(row: Row, value: Any, changed: bool) -> str:
    return f"  {'*' if changed else ' '} {f'{row.name} = {value!r}':<{VALUE_WIDTH}}  # {row.meaning}"


def _setting(row: Row, named: Mapping[str, NamedConfiguration]) -> str:
    lines = [
        f"{row.name} = {row.default}",
        f"  {row.meaning}",
        f"  must be: {allowed_words(Settings.model_fields[row.name])}",
        f"  group:   {row.group} ({PAGE}#{anchor(row.group)})",
        *(f"  {line}" for line in _set_by(row.name, named)),
    ]
    return "\n".join(lines)


def _set_by(setting: str, named: Mapping[str, NamedConfiguration]) -> Iterator[str]:
    """The named configurations that set a setting, with its value in each."""
    found = {name: values[setting] for name, scope in named.items() if setting in (values := scope())}
    if found:
        yield "set by:"
        width = max(map(len, found))
        yield from (f"  {name:<{width}}  {value!r}" for name, value in found.items())


def _named(name: str, scope: NamedConfiguration) -> str:
    values = scope()
    meanings = {row.name: row for row in _rows()}
    lines = [_line(meanings[setting], value, False) for setting, value in values.items()]
    return "\n".join([f"{name}: {scope.__doc__}", *lines])
