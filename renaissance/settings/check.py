"""`check_settings`: a configuration in, `Settings` out, or one error with every fault in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError, create_model
from pydantic.fields import FieldInfo

from renaissance.errors import UserError
from renaissance.settings.discovery import suggestion
from renaissance.settings.rules.texts import faults_of_inherited
from renaissance.settings.rules.together import faults_together
from renaissance.settings.schema import Settings
from renaissance.settings.value_types import MOST, Allowed, leaf_types

LONGEST_VALUE = 60  # characters of a wrong value that a message shows


def check_settings(config: Mapping[str, Any], command: str | None = None) -> Settings:
    """The settings of a resolved configuration.

    Args:
        config: every setting by name, as Sacred resolved it.
        command: what the settings are for: "train", "print", or a command of `commands/`. With one, what it needs
            is checked too (a task to train, files that must exist); without, only what is true of any configuration.
            A training with `resume_from` is checked for what a command line that resumes needs.

    Raises:
        UserError: listing all faults, a line each.
    """
    fields = Settings.model_fields
    faults = [_unknown(name) for name in config if name not in fields]
    known = _with_towers({name: value for name, value in config.items() if name in fields})
    if command in ("serve", "print"):
        known = _with_models(known)
    try:
        settings = Settings(**known)
    except ValidationError as error:
        wrong = {str(entry["loc"][0]): entry for entry in reversed(error.errors(include_url=False))}
        faults += [_wrong_value(name, known.get(name), wrong[name]) for name in fields if name in wrong]
        settings = _valid_part({name: value for name, value in known.items() if name not in wrong})
    _refuse("The configuration", [*faults, *faults_together(settings, command)])
    return settings


def _with_towers(values: dict[str, Any]) -> dict[str, Any]:
    """Settings in which both towers have the name of the whole model that they are of, where `clip_model` names one."""
    whole = values.get("clip_model")
    return {**values, "image_encoder": whole, "text_encoder": whole} if isinstance(whole, str) else values


def _with_models(values: dict[str, Any]) -> dict[str, Any]:
    """Settings in which several checkpoints of `load_path`, a list or a mapping by name, are `serve_models`."""
    several = values.get("load_path")
    return {**values, "load_path": "", "serve_models": several} if isinstance(several, list | dict) else values


def check_inherited(settings: Settings, brought: Collection[str]) -> None:
    """Check what `check_settings` had to leave open where a checkpoint might bring the text encoders.

    Args:
        settings: with the checkpoints' architecture.
        brought: the parts whose configurations come from checkpoints.

    Raises:
        UserError: listing all faults, a line each.
    """
    _refuse("The configuration, with what the checkpoint brings,", list(faults_of_inherited(settings, brought)))


def _refuse(what: str, faults: list[str]) -> None:
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise UserError("\n".join([f"{what} has {count}:", *(f"  * {fault}" for fault in faults)]))


def allowed_words(field: FieldInfo) -> str:
    """What a setting may be, in words that follow "must be"."""
    words = next(mark.words for mark in field.metadata if isinstance(mark, Allowed))
    return words() if callable(words) else words


def _valid_part(values: dict[str, Any]) -> Settings:
    """Settings with only the attributes whose values are right, to check those together."""
    fields = {name: (Settings.model_fields[name].rebuild_annotation(), ...) for name in values}
    part = create_model("Part", __config__=Settings.model_config, **fields)(**values)  # type: ignore[call-overload]
    return Settings.model_construct(**dict(part))


def _unknown(name: str) -> str:
    near = suggestion(name, Settings.model_fields)
    return f"{name}: there is no such setting{near or '; `python run.py print_config` shows all'}"


def _wrong_value(name: str, value: Any, error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return f"{name}: is missing"
    if error["type"] == "value_error":
        return f"{name}: {error['ctx']['error']}"
    field = Settings.model_fields[name]
    hint = _hint(name, value, field)
    if field.annotation is int and isinstance(value, float) and value.is_integer() and error["type"] == "int_type":
        hint = f"; did you mean {int(value)}?"
    if error["type"] == "less_than_equal" and error["ctx"]["le"] == MOST:
        hint = f", and at most {MOST:,}"
    return f"{name}={_shown(value)}: must be {allowed_words(field)}{hint}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _hint(name: str, value: Any, field: FieldInfo) -> str:
    """What the user probably meant, as far as the value tells."""
    leaves = set(leaf_types(field.annotation))
    if isinstance(value, str):
        if value.lower() in ("none", "null") and type(None) in leaves:
            return "; did you mean None?"
        if bool in leaves and value.lower() in ("true", "yes", "on", "false", "no", "off"):
            return f"; did you mean {value.lower() in ('true', 'yes', 'on')}?"
        if leaves == {list}:
            example = value if re.fullmatch(r"\w+", value) else "..."
            return f"""; on the command line, in quotes: '{name}=["{example}"]'"""
        return suggestion(value, [leaf for leaf in leaves if isinstance(leaf, str)])
    if bool in leaves and value in (0, 1):
        return f"; did you mean {bool(value)}?"
    if str in leaves and isinstance(value, int | float):
        return f"""; on the command line, in two pairs of quotes: '{name}="{value}"'"""
    return ""
