"""Every run below a folder, such as `log_dir`: found, read, and for who asks again read only where it has changed.

Comes in: a folder. Goes out: a `ListedRun` (`listed_run.py`) for each run's folder below it, by experiment and number.
No PyTorch here.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from renaissance.tracking.listed_run import ListedRun, read_listed

DEEPEST = 8  # folders below the one that is looked through
OF_A_RUN = ("config.json", "command.json", "metrics.csv", "summary.json", ".alive")  # one of these makes a run's folder


def list_runs(parent: Path) -> list[ListedRun]:
    """Every run below a folder, by experiment and number.

    Args:
        parent: such as `log_dir`; may be missing, which has no runs, or be a run's own folder.
    """
    return [read_listed(path, _name(path, parent)) for path in find_runs(parent)]


class RunIndex:
    """The runs below a folder, for who asks again and again: only what has changed since is read again.

    Args:
        parent: such as `log_dir`.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._known: dict[Path, tuple[object, ListedRun]] = {}

    def runs(self) -> list[ListedRun]:
        """The runs as they are now, by experiment and number."""
        known, self._known = self._known, {}
        for path in find_runs(self._parent):
            stamp = _stamp(path)
            if path in known and known[path][0] == stamp and known[path][1].status != "running":
                self._known[path] = known[path]
            else:
                self._known[path] = stamp, read_listed(path, _name(path, self._parent))
        return [run for _, run in self._known.values()]


def find_runs(parent: Path) -> list[Path]:
    """The folders of runs below a folder, by experiment and number.

    A run's folder has a number for its name and a file that only runs have, or is being trained in. Links to folders
    are followed, each folder once. Folders that cannot be read are passed over.
    """
    if _is_run(parent):
        return [parent]
    return sorted(_walk(parent), key=lambda path: (path.parent, int(path.name)))


def _name(path: Path, parent: Path) -> str:
    """What a run is called: its folder below the one that was looked through."""
    return str(path)[len(str(parent)) + 1 :] if path != parent else "/".join(path.absolute().parts[-2:])


def _walk(parent: Path) -> Iterator[Path]:
    """The folders of runs, real folders before links, so that a run that can be reached twice has its own name."""
    folders, links = [(parent, DEEPEST)], deque[tuple[Path, int]]()
    seen: set[tuple[int, int]] = set()
    while folders or links:
        folder, depth = folders.pop() if folders else links.popleft()
        try:
            found = os.stat(folder)
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            if _is_run(folder):
                yield folder
            elif depth:
                with os.scandir(folder) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        if not entry.name.startswith(".") and entry.is_dir():
                            (links if entry.is_symlink() else folders).append((folder / entry.name, depth - 1))
        except OSError:
            continue


def _is_run(path: Path) -> bool:
    return path.name.isdecimal() and path.name.isascii() and any(os.path.lexists(f"{path}/{name}") for name in OF_A_RUN)


def _stamp(path: Path) -> object:
    """What changes when a file does from which a record is read; None in the place of one that is not there."""
    found: list[tuple[int, int, int] | None] = []
    for name in OF_A_RUN:
        try:
            status = os.stat(f"{path}/{name}")
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found
