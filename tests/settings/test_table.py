"""The table of settings in docs/settings.md is the one that `config.py` and the types make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import ex
from renaissance.settings import Settings
from renaissance.settings.table import BEGIN, CONFIG, END, anchor, put_table, read_defaults, settings_table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_every_setting_has_its_default_and_a_meaning() -> None:
    rows = read_defaults(CONFIG.read_text(encoding="utf-8"))
    assert [row.name for row in rows] == list(dict.fromkeys(row.name for row in rows))
    assert {row.name for row in rows} == set(Settings.model_fields) == set(ex.configurations[0]())
    assert all(row.meaning and row.group for row in rows)


def test_rows_show_name_default_range_and_meaning() -> None:
    table = settings_table()
    assert (
        "| `per_gpu_batchsize` | `64` | a whole number, at least 1 | stays | examples a device takes at once |" in table
    )
    assert "## How long" in table


def test_the_page_has_this_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = text.partition(BEGIN)[2].partition(END)[0].strip()
    assert found == settings_table().strip(), "run: python -m renaissance.settings.table --write docs/settings.md"


def test_every_group_is_linked_to_its_heading() -> None:
    headings = re.findall(r"^## (.+)$", settings_table(), flags=re.MULTILINE)
    linked = re.findall(r"\[([^]]+)\]\(#([^)]+)\)", settings_table().partition("\n")[0])
    assert linked == [(heading, anchor(heading)) for heading in headings]
    assert anchor("The command `prepare`") == "the-command-prepare"
    assert anchor("Two-tower image encoder") == "two-tower-image-encoder"


def test_the_table_goes_between_the_markers() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put_table(document, "new\n") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="missing"):
        put_table("nothing", "new\n")
