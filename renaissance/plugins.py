"""Plug-ins: Python files and modules of the user's that add tasks, data sets, encoders, optimisers and trackers.

Comes in: what the user names, in the setting `plugins` or in `renaissance.load(path, plugins=[...])`. Goes out: they
are imported, and what they register (`extend.py`) is known. Importing runs their code, so only what the user named is
imported: a checkpoint remembers which plug-ins it was made with, and what is said of it here is words alone.

A file is imported as Python imports a module that lies beside a script: under its own name, with its folder at the end
of `sys.path`. So it may import files beside it, and processes that are spawned find its classes again.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from renaissance.errors import UserError
from renaissance.registrations import PACKAGE, undone_on_error

MOST_NAMES, LONGEST_NAME = 10, 100  # of what a checkpoint says of its plug-ins, in a message


@dataclass(frozen=True)
class Plugin:
    """A plug-in that was imported.

    Attributes:
        name: as the user named it.
        module: its module's name.
        file: the file that it is; None where it has none.
        folder: where the modules that belong to it lie.
        source: the file's content when it was imported.
    """

    name: str
    module: str
    file: Path | None
    folder: Path | None
    source: bytes


_loaded: dict[str, Plugin] = {}  # by module


def load_plugins(names: Iterable[str]) -> None:
    """Import plug-ins; those that were imported already are left as they are.

    Args:
        names: files, relative to the current folder, or modules that Python can import.

    Raises:
        UserError: one is not there, cannot be imported, or has the name of another; with its file and line.
    """
    for name in names:
        module = module_of(name)
        file = _file_of(name)
        known = _loaded.get(module)
        if known is not None:
            if file is not None and known.file != file.resolve():
                raise UserError(
                    f"plugins: {name!r} and {known.name!r} are two plug-ins of one name, {module}: rename one of them."
                )
            continue
        if file is not None:
            _check_importable(name, module, file)
        _loaded[module] = _imported(name, module)


def loaded_plugins() -> list[Plugin]:
    """The plug-ins that were imported, in their order."""
    return list(_loaded.values())


def missing_plugins(settings: Mapping[str, Any]) -> list[str]:
    """The plug-ins that a run was made with and that are not imported here.

    Args:
        settings: the run's, as a checkpoint has them: nothing is believed of them, and nothing is imported.
    """
    given = settings.get("plugins")
    names = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    return [name for name in names if _stem(name) not in _loaded]


def how_to_name(missing: list[str]) -> str:
    """What to do about missing plug-ins, in a sentence that begins with a blank; empty where none is missing."""
    if not missing:
        return ""
    shown = [name[:LONGEST_NAME] for name in missing[:MOST_NAMES]]
    listed = "[" + ", ".join(f'"{name}"' for name in shown) + "]"
    return (
        f" It was made with plug-ins that are not named here: {', '.join(shown)}. They are code, so only you can name "
        f"them, if you trust them: plugins='{listed}' on the command line, renaissance.load(path, plugins={listed}) in "
        "Python."
    )


def plugin_sources() -> dict[str, bytes]:
    """The Python files that plug-ins are made of, as far as they were imported, by their paths in their folders."""
    sources: dict[str, bytes] = {}
    for plugin in _loaded.values():
        if plugin.file is None or plugin.folder is None:
            continue
        sources[plugin.file.relative_to(plugin.folder).as_posix()] = plugin.source
        if not _is_file(plugin.name):
            continue
        for name, module in list(sys.modules.items()):
            file = _source_file(module)
            if file is not None and _lies_in(file, name, plugin.folder):
                sources.setdefault(file.relative_to(plugin.folder).as_posix(), file.read_bytes())
    return sources


def module_of(name: str) -> str:
    """The module that a plug-in becomes.

    Raises:
        UserError: it is neither a file's name nor a module's.
    """
    stem = _stem(name)
    parts = [stem] if _is_file(name) else stem.split(".")
    if not all(part.isidentifier() for part in parts):
        kind = "a file whose name, without .py, is letters, digits and _" if _is_file(name) else "a file or a module"
        raise UserError(f"plugins: {name!r} must be {kind}, such as my_task.py.")
    return stem


def _is_file(name: str) -> bool:
    return name.endswith(".py") or "/" in name or "\\" in name


def _stem(name: str) -> str:
    return Path(name).name.removesuffix(".py") if _is_file(name) else name


def _file_of(name: str) -> Path | None:
    """The file that a plug-in is, as it was named, which may be a link; None for a module.

    Raises:
        UserError: there is no such file.
    """
    if not _is_file(name):
        return None
    path = Path(name).expanduser()
    if not path.is_file() or path.suffix != ".py":
        raise UserError(
            f"plugins: {name!r} is no Python file that is there. Give its path from the current folder ({Path.cwd()}), "
            "or the name of a module that Python can import."
        )
    return path.absolute()


def _check_importable(name: str, module: str, file: Path) -> None:
    """Put a file's folder where Python looks for modules, and check that Python finds this file there.

    Raises:
        UserError: another module has its name.
    """
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    loaded = sys.modules.get(module)
    found = loaded.__spec__ if loaded is not None else importlib.util.find_spec(module)
    origin = getattr(loaded, "__file__", None) if found is None else found.origin
    if origin is None or Path(origin).resolve() != file.resolve():
        raise UserError(
            f"plugins: {name!r} has the name of another module, {module} ({origin or 'built into Python'}): rename the "
            "file."
        )


def _imported(name: str, module: str) -> Plugin:
    try:
        with undone_on_error():
            imported = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(_failure(name, module, error)) from error
    file = _source_file(imported)
    if file is None:
        return Plugin(name, module, None, None, b"")
    levels = 0 if _is_file(name) else module.count(".") + (file.name == "__init__.py")
    return Plugin(name, module, file, file.parents[levels], file.read_bytes())


def _failure(name: str, module: str, error: BaseException) -> str:
    """Why a plug-in was not imported: its file and line, and what went wrong there."""
    if isinstance(error, ModuleNotFoundError) and error.name is not None and f"{module}.".startswith(f"{error.name}."):
        return f"plugins: Python finds no module {name!r}. Give a file, such as my_task.py, or install the module."
    if isinstance(error, SyntaxError):
        return f"plugins: {error.filename or name}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_of_machinery(frame.filename)]
    where = f"{own[-1].filename}, line {own[-1].lineno}" if own else name
    what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}".rstrip(": ")
    return f"plugins: {where}: {what}"


def _is_of_machinery(filename: str) -> bool:
    """Whether a line of a traceback is of Renaissance, of Python itself (`<frozen …>`), or of an installed package."""
    ours, pythons = str(Path(__file__).resolve().parent), sysconfig.get_paths()
    return filename.startswith((ours, "<", pythons["stdlib"], pythons["purelib"], pythons["platlib"]))


def _source_file(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) and file.endswith(".py") and Path(file).is_file() else None


def _lies_in(file: Path, module: str, folder: Path) -> bool:
    """Whether a module was imported from a folder by its own name there, and is none of ours."""
    top = module.partition(".")[0]
    if top in (PACKAGE, "__main__", "run", "config"):
        return False
    return file == folder / f"{top}.py" or file.is_relative_to(folder / top)
