"""The table "to add a … touch …" of CONTRIBUTING.md is true: its files are there, and so is what finds them."""

from __future__ import annotations

import importlib
import re

import pytest

import run  # noqa: F401  (makes the commands)
from config import ex
from renaissance import extend
from renaissance.commands.registry import commands
from renaissance.data.sets import data_sets
from renaissance.tasks.registry import task_names
from tests.command_line import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATH = re.compile(r"`([\w.<>/-]+(?:/|\.py|\.md|\.json|\.yaml))`")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in TEXT.partition("| to add a |")[2].partition("\n\n")[0].splitlines()[2:]
]
PARTS = {"task", "data set", "image encoder", "text encoder", "optimiser", "tracker", "command", "setting",
         "named configuration", "metric"}  # fmt: skip


def test_the_table_has_every_part() -> None:
    assert {row[0] for row in ROWS} >= PARTS


def test_everything_that_can_be_registered_has_its_row() -> None:
    finders = {row[2].strip("`") for row in ROWS if row[0].endswith(" as a plug-in")}
    assert finders == {f"renaissance.extend.{name}" for name in extend.__all__}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_its_files_are_there(row: list[str]) -> None:
    paths = [path for cell in row[1:] for path in PATH.findall(cell)]
    assert paths
    for path in paths:
        if "<" in path:  # a file to be made, beside others of its kind
            folder, _, pattern = path.rpartition("/")
            assert list((ROOT / folder).glob(re.sub(r"<\w+>", "[a-z]*", pattern))), path
        else:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("row", [row for row in ROWS if len(row) > 2 and row[2]], ids=lambda row: row[0])
def test_what_finds_them_is_there(row: list[str]) -> None:
    module, _, name = row[2].strip("`").rpartition(".")
    assert hasattr(importlib.import_module(module), name), row[2]


def _made_in(row_name: str) -> set[str]:
    """The names of the files in the folder that a row says to add one to."""
    touch = next(row[1] for row in ROWS if row[0] == row_name)
    folder = next(path for path in PATH.findall(touch) if "<name>" in path).rpartition("/")[0]
    return {path.stem for path in (ROOT / folder).glob("*.py")}


def test_adding_a_file_is_adding_a_task_a_command_or_a_data_set() -> None:
    assert set(task_names()) <= _made_in("task")
    assert set(commands()) <= _made_in("command")
    assert set(commands()) < set(ex.commands)
    modules = {type(data_set).__module__.rpartition(".")[2] for data_set in data_sets().values()}
    assert modules <= _made_in("data set")
    assert modules


def test_a_named_configuration_is_a_function_of_config_py() -> None:
    source = (ROOT / "config.py").read_text(encoding="utf-8")
    assert set(ex.named_configs) <= set(re.findall(r"^def (\w+)\(", source, flags=re.MULTILINE))
