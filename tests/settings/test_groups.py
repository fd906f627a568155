"""The groups of settings: one for each section of `config.py`."""

import importlib
import pkgutil
import re
from pathlib import Path

from renaissance.settings import Settings
from renaissance.settings import groups as package
from renaissance.settings.groups.group import SettingsGroup

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"    # == (.*) ==\n((?:    .*\n)+)")


def sections() -> dict[str, list[str]]:
    text = (ROOT / "config.py").read_text(encoding="utf-8")
    return {head: re.findall(r"^    ([a-z_]+) = ", body, re.M) for head, body in SECTION.findall(text)}


def own_fields() -> dict[str, list[str]]:
    """The settings that each class of `groups` names itself."""
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        members = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for name, member in members.items():
            if isinstance(member, type) and issubclass(member, SettingsGroup) and member.__annotations__:
                found[name] = [field for field in member.__annotations__ if field in member.model_fields]
    return found


def test_each_section_of_the_configuration_is_a_group():
    assert len(sections()) > 20
    assert sorted(sections().values()) == sorted(fields for fields in own_fields().values() if fields)


def test_settings_are_every_group_in_the_order_of_the_configuration():
    assert list(Settings.model_fields) == [name for names in sections().values() for name in names]
