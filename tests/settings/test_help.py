"""`help <name>` and `print_config`: settings and named configurations in words."""

from __future__ import annotations

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.settings.help import grouped_settings, help_for_name

COMMANDS = ("prepare", "compare", "export")


def test_help_on_a_setting_has_its_default_its_range_and_who_sets_it():
    text = help_for_name("gradient_clip_val", COMMANDS, ex.named_configs)
    assert text.startswith("gradient_clip_val = None\n")
    assert "must be: a number above 0, or None" in text
    assert "group:   The optimiser (docs/settings.md#the-optimiser)" in text
    assert any(line.split() == ["quickstart", "1.0"] for line in text.splitlines())
    assert "set by" not in help_for_name("momentum", COMMANDS, ex.named_configs)


def test_help_on_a_named_configuration_has_its_values():
    text = help_for_name("freeze_image", COMMANDS, ex.named_configs)
    assert text.startswith("freeze_image: Image encoder kept as it is.")
    assert "freeze_image_encoder = True" in text


@pytest.mark.parametrize(
    ("typo", "meant"), [("learning_rat", "learning_rate"), ("tinny", "tiny"), ("prepar", "prepare")]
)
def test_help_knows_what_a_typo_meant(typo, meant):
    with pytest.raises(UserError, match=f"did you mean {meant}"):
        help_for_name(typo, COMMANDS, ex.named_configs)


def test_every_setting_stands_in_its_group_once_and_changed_ones_have_a_star():
    values = {**ex.configurations[0](), "batch_size": 99}
    text = grouped_settings(values, {"batch_size"})
    shown = [line.strip("* ").partition(" = ")[0] for line in text.splitlines() if " = " in line and line[0] == " "]
    assert sorted(shown) == sorted(Settings.model_fields)
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("  *")] == [["*", "batch_size"]]
    assert text.index("\nBatches\n") < text.index("batch_size = 99") < text.index("\nThe model\n")
