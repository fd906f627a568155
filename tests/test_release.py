"""What is said of the project in several places says the same: its version, its Pythons, its style."""

from __future__ import annotations

import re

import yaml

from renaissance import __version__
from tests.command_line import ROOT


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_one() -> None:
    assert yaml.safe_load(_text("CITATION.cff"))["version"] == __version__
    assert re.findall(r"^## (.+)$", _text("CHANGELOG.md"), flags=re.MULTILINE)[0] == __version__


def test_ci_runs_the_oldest_and_the_newest_python_that_can_be_installed() -> None:
    least, beyond = re.findall(r'python_requires=">=3\.(\d+),<3\.(\d+)"', _text("setup.py"))[0]
    ends = [f"3.{least}", f"3.{int(beyond) - 1}"]
    job = yaml.safe_load(_text(".github/workflows/ci.yml"))["jobs"]["run"]
    assert job["strategy"]["matrix"]["python"] == ends
    assert job["steps"][-1]["run"] == "bash .ci/run"
    assert all(python in _text("README.md") for python in ends)


def test_a_commit_is_looked_at_as_make_lint_does() -> None:
    hooks = [
        hook["entry"] for repo in yaml.safe_load(_text(".pre-commit-config.yaml"))["repos"] for hook in repo["hooks"]
    ]
    linted = re.findall(r"\$\(BIN\)/(ruff \w+|mypy)", _text("Makefile").partition("lint: install")[2])
    assert sorted(re.sub(r"^\.venv/bin/| --fix$", "", hook) for hook in hooks) == sorted(set(linted))


def test_every_dependency_says_what_it_is_for() -> None:
    table = _text("docs/installation.md").partition("## Dependencies")[2]
    required = _text("setup.py").partition("DEPENDENCIES = [")[2].partition("\n]")[0]
    names = re.findall(r'^    "([\w-]+)', required, flags=re.MULTILINE)
    assert len(names) > 15
    assert [name for name in names if not re.search(rf"\b{name}\b", table)] == []
