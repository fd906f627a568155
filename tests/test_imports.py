"""Imports go one way: no module reaches itself by a detour, and the command line's modules load no PyTorch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import imports
from benchmarks.imports import GRAPHS, PACKAGE, circles, import_graph, module_name

HEAVY = ("torch", "transformers", "pytorch_lightning")
LIGHT = ("settings", "tracking", "tasks")  # packages whose modules import none of these


@pytest.mark.parametrize("kinds", GRAPHS.values(), ids=GRAPHS)
def test_no_module_of_the_package_reaches_itself(kinds):
    graph = import_graph(PACKAGE, kinds)
    assert "renaissance.settings.schema" in graph["renaissance.training.assemble"] | graph["renaissance.settings.check"]
    assert circles(graph) == []


def test_circles_are_found_and_end_in_status_1(tmp_path, monkeypatch, capsys):
    files = {
        "__init__": "",
        "a": "import package.b",
        "b": "from package import c",
        "c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.a import A\n",
        "d": "def f():\n    from package.e import g",
        "e": "from package.d import f",
        "inner/__init__": "from package.inner import own",  # a package with a module of its own is no circle
        "inner/own": "from package.f import x",
        "f": "from package.inner.own import y",
    }
    package = tmp_path / "package"
    for name, text in files.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(imports, "PACKAGE", package)
    monkeypatch.setattr(sys, "argv", ["imports"])
    loaded, types, functions = (circles(import_graph(package, kinds)) for kinds in GRAPHS.values())
    inner = ["package.f", "package.inner", "package.inner.own"]
    assert loaded == [inner]
    assert types == [["package.a", "package.b", "package.c"], inner]
    assert functions == [*types[:1], ["package.d", "package.e"], inner]
    assert imports.main() == 1
    (package / "f.py").write_text("")
    assert imports.main() == 0
    assert "circle of 3: package.a, package.b, package.c" in capsys.readouterr().out


def test_settings_declarations_and_tracking_load_no_pytorch():
    paths = [path for name in LIGHT for path in sorted((PACKAGE / name).rglob("*.py"))]
    light = [path for path in paths if path.parent.name not in ("behaviours", "common", "metrics")]
    modules = [module_name(PACKAGE, path) for path in light]
    assert {"renaissance.tasks.caption", "renaissance.tracking.sheets"} <= set(modules)
    program = (
        "import importlib, sys\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path.cwd(), check=False)
    assert ended.returncode == 0, ended.stderr


def test_onnx_is_loaded_by_nothing_but_its_export():
    """It is an extra; the export loads it in the functions that need it."""
    loaded = {
        path
        for path in PACKAGE.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
        if name.partition(".")[0] in ("onnx", "onnxruntime", "onnxscript")
    }
    assert loaded == set()
