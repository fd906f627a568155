"""The words that a shell completes: commands, flags, named configurations, settings and their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType

from renaissance.settings.schema import Settings
from renaissance.settings.table import CONFIG, Row, read_defaults
from renaissance.settings.value_types import Allowed, leaf_types
from renaissance.tasks.registry import task_names


@dataclass(frozen=True)
class Word:
    """A word with what it means, in a line, for the shells that show it."""

    text: str
    meaning: str


@dataclass(frozen=True)
class Words:
    """What can stand on a command line.

    Attributes:
        commands: `help` among them, `with` not.
        shells: those that there is a script for.
        flags: Sacred's, short and long.
        flags_with_value: those of them that a word belongs to.
        configurations: the named ones.
        settings: as they are typed, such as "seed=".
        setting_names: their bare names, which `help` takes.
        choices: by setting, the values that have a name.
        files: the settings whose values are files.
        folders: those whose values are folders.
    """

    commands: tuple[Word, ...]
    shells: tuple[str, ...]
    flags: tuple[Word, ...]
    flags_with_value: tuple[str, ...]
    configurations: tuple[Word, ...]
    settings: tuple[Word, ...]
    setting_names: tuple[Word, ...]
    choices: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...]
    folders: tuple[str, ...]


def words_of(
    commands: Mapping[str, str],
    shells: Iterable[str],
    flags: Iterable[tuple[tuple[str, str], bool, str]],
    configurations: Mapping[str, str],
    names: Mapping[str, Iterable[str]],
) -> Words:
    """The words of a command line whose settings are those of `config.py`.

    Args:
        commands: each with what it does.
        shells: those that there is a script for.
        flags: each with its short and its long form, whether it takes a value, and what it does.
        configurations: the named configurations, each with what it is.
        names: by setting, values that its type does not tell, such as the data sets there are.
    """
    flags = list(flags)
    rows = read_defaults(CONFIG.read_text(encoding="utf-8"))
    allowed = {name: _allowed(name) for name in Settings.model_fields}
    choices = {
        name: tuple(dict.fromkeys((*_choices(name), *allowed[name].names, *names.get(name, ())))) for name in allowed
    }
    return Words(
        commands=tuple(Word(name, meaning) for name, meaning in commands.items()),
        shells=tuple(shells),
        flags=tuple(Word(form, meaning) for forms, _, meaning in flags for form in forms),
        flags_with_value=tuple(form for forms, takes_value, _ in flags if takes_value for form in forms),
        configurations=tuple(Word(name, meaning) for name, meaning in configurations.items()),
        settings=tuple(_settings(rows)),
        setting_names=tuple(Word(row.name, row.meaning) for row in rows),
        choices={name: values for name, values in choices.items() if values},
        files=tuple(name for name, mark in allowed.items() if mark.paths == "file"),
        folders=tuple(name for name, mark in allowed.items() if mark.paths == "folder"),
    )


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with each `@name@` replaced by its value."""
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], template)


def _settings(rows: Iterable[Row]) -> Iterable[Word]:
    """Every setting; the weights of the tasks' losses one by one."""
    for row in rows:
        if row.name == "loss_names":
            yield from (Word(f"loss_names.{task}=", f"weight of the loss of {task}; 0 is off") for task in task_names())
        else:
            yield Word(f"{row.name}=", row.meaning)


def _allowed(name: str) -> Allowed:
    return next(mark for mark in Settings.model_fields[name].metadata if isinstance(mark, Allowed))


def _choices(name: str) -> Iterable[str]:
    """The values of a setting that its type names: True and False, the choices of a literal, None."""
    for leaf in leaf_types(Settings.model_fields[name].annotation):
        if leaf is bool:
            yield from ("True", "False")
        elif leaf is NoneType:
            yield "None"
        elif not isinstance(leaf, type):
            yield str(leaf)
