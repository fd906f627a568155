"""The import graph of the package: who imports whom, and whether anybody imports themselves by a detour.

    python -m benchmarks.imports [--modules]

In: the sources under `renaissance/`, read as text and never run. Out: how many files and imports there are, and every
circle, a group of files each of which reaches all others by imports. Three graphs are drawn: of the imports that run
when a module is loaded, with those for the type checker (`if TYPE_CHECKING`), and with those inside functions too.
Ends with status 1 where the first has a circle. `--modules` also lists what each module imports.

`import a.b.c` runs the packages `a` and `a.b` as well, so these are imports too; only a module's own packages are left
out, for they are being loaded already. Imports by name (`importlib`) are not seen: those of the tasks' files, of their
behaviours and of the data sets.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

Kind = Literal["module", "types", "function"]
Graph = Mapping[str, frozenset[str]]  # by a module's name those that it imports

PACKAGE = Path(__file__).parents[1] / "renaissance"
GRAPHS: dict[str, tuple[Kind, ...]] = {
    "when modules are loaded": ("module",),
    "with those for the type checker": ("module", "types"),
    "with those inside functions": ("module", "types", "function"),
}


def main() -> int:
    """Draw the graphs and print them; 1 where modules import each other in a circle when they are loaded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", action="store_true", help="also list what each module imports when it is loaded")
    arguments = parser.parse_args()
    graphs = {title: import_graph(PACKAGE, kinds) for title, kinds in GRAPHS.items()}
    for title, graph in graphs.items():
        found = circles(graph)
        edges = sum(len(imported) for imported in graph.values())
        print(f"imports {title}: {len(graph)} files, {edges} imports, {len(found)} circles")
        for circle in found:
            print(f"  circle of {len(circle)}: {', '.join(circle)}")
    loaded = graphs["when modules are loaded"]
    if arguments.modules:
        for module, imported in sorted(loaded.items()):
            print(f"{module}: {', '.join(sorted(imported)) or '-'}")
    return 1 if circles(loaded) else 0


def import_graph(package: Path, kinds: tuple[Kind, ...]) -> Graph:
    """What each module of a package imports of it.

    Args:
        package: the package's folder.
        kinds: the imports that count: those of a module's own body, for the type checker, or inside functions.
    """
    paths = {module_name(package, path): path for path in sorted(package.rglob("*.py"))}
    return {
        module: frozenset(
            imported
            for kind, name in _imports(ast.parse(path.read_text(encoding="utf-8")), "module")
            if kind in kinds
            for imported in _and_its_packages(name)
            if imported in paths and not f"{module}.".startswith(f"{imported}.")
        )
        for module, path in paths.items()
    }


def circles(graph: Graph) -> list[list[str]]:
    """The groups of modules that import each other, directly or by detours, in alphabetical order."""
    reached = {module: _reachable(graph, module) for module in graph}
    groups = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return sorted(sorted(group) for group in groups)


def _reachable(graph: Graph, module: str) -> set[str]:
    """All modules that are loaded for the imports of one; itself among them where it lies on a circle."""
    found: set[str] = set()
    waiting = list(graph[module])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += graph[other]
    return found


def module_name(package: Path, path: Path) -> str:
    """The name that a file is imported by."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _and_its_packages(name: str) -> list[str]:
    """`a.b.c`, `a.b` and `a`."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _imports(node: ast.AST, kind: Kind) -> Iterator[tuple[Kind, str]]:
    """The names that the code below a node imports, with what kind of import it is.

    Of `from a import b` that is `a.b`, whatever `b` may be: what is no module is in no graph.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((kind, alias.name) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports, which the project's style has none of, are not followed"
            yield from ((kind, f"{child.module}.{alias.name}") for alias in child.names)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(child, "function")
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _imports(child, "types")
        else:
            yield from _imports(child, kind)


if __name__ == "__main__":
    sys.exit(main())
