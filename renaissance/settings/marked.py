"""The settings of a kind, found by the marks beside their types (`marks.py`): of a part, fixed by weights, a question.

Comes in: a part's name, or a mark. Goes out: names of settings, in the order of `Settings`. No PyTorch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from renaissance.settings.marks import (
    FIXED_ROLES,
    FOLLOWING_ROLES,
    FixedByWeights,
    FollowsWeights,
    Mark,
    OfPart,
    OnlyReadBy,
    Role,
    roles_in,
)
from renaissance.settings.schema import Settings

Kind = TypeVar("Kind")


@cache
def roles_of(part: str) -> Mapping[Role, str]:
    """The settings of a part by their role; empty where it has none of its own."""
    return MappingProxyType(roles_in(Settings.model_fields, part))


def setting_of(part: str, role: Role) -> str:
    """The setting that has a role for a part.

    Raises:
        KeyError: there is none.
    """
    return roles_of(part)[role]


@cache
def parts_with(role: Role) -> tuple[str, ...]:
    """The parts that have a setting of a role; of "name" those that may be published models."""
    return tuple(mark.part for _, mark in _marks(OfPart) if mark.role == role)


@cache
def fixed_by_weights(part: str) -> frozenset[str]:
    """The settings that cannot differ from the weights of a part."""
    return _of_roles(part, FIXED_ROLES) | {name for name, mark in _marks(FixedByWeights) if mark.part == part}


@cache
def following_weights(part: str) -> frozenset[str]:
    """The settings that the weights of a part bring along, and that can differ from them."""
    return _of_roles(part, FOLLOWING_ROLES) | {name for name, mark in _marks(FollowsWeights) if mark.part == part}


@cache
def settings_marked(mark: Mark) -> tuple[str, ...]:
    """The settings that have a mark."""
    return tuple(name for name, found in _marks(Mark) if found is mark)


@cache
def read_by_commands() -> Mapping[str, tuple[str, ...]]:
    """The settings that commands read and no training does, with these commands."""
    found: dict[str, tuple[str, ...]] = {}
    for name, mark in _marks(OnlyReadBy):
        found[name] = (*found.get(name, ()), mark.command)
    return MappingProxyType(found)


def _of_roles(part: str, roles: frozenset[Role]) -> frozenset[str]:
    return frozenset(name for role, name in roles_of(part).items() if role in roles)


def _marks(kind: type[Kind]) -> list[tuple[str, Kind]]:
    """Every mark of a kind with the setting that has it."""
    marks: list[tuple[str, Any]] = [
        (name, mark) for name, field in Settings.model_fields.items() for mark in field.metadata
    ]
    return [(name, mark) for name, mark in marks if isinstance(mark, kind)]
