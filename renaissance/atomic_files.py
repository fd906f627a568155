"""Files and folders that are whole or not there: written under a temporary name beside their place, then renamed.

Nobody ever opens a half-written table, checkpoint or summary, and a killed run leaves the earlier file as it was. What
is there after the rename is on the disk, and not only in the system's memory: a machine that loses its power loses no
checkpoint.
"""

from __future__ import annotations

import csv
import errno
import glob
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from renaissance.errors import DiskFull

NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "files may not be as large",
}
TEMPORARY = re.compile(r"\..+\.\d+")


@contextmanager
def whole_file(path: Path, *, durable: bool = True, size: int | None = None) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block ends, and is removed when it fails.

    The folder is made where it is missing.

    Args:
        path: the file.
        durable: wait until file and name are on the disk. Pictures that are drawn again anyway need not be.
        size: its bytes, roughly, where they are known, for the message.

    Raises:
        DiskFull: there is no room for it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with naming_full_disk(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if durable:
                to_disk(temporary)
            os.replace(temporary, path)
            if durable:
                to_disk(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to write into, which becomes `path` when the block ends, and is removed when it fails.

    Raises:
        OSError: `path` is a folder that is not empty, or cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        for written in temporary.rglob("*"):
            to_disk(written)
        os.replace(temporary, path)
        to_disk(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def naming_full_disk(path: Path, size: int | None = None) -> Iterator[None]:
    """Turn the system's "no space left" while `path` is written into a message that names it.

    Args:
        path: the file.
        size: its bytes, roughly, where they are known.

    Raises:
        DiskFull: there is no room for it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        needed = "" if size is None else f"{size / 1e6:,.1f} MB are needed and "
        free = shutil.disk_usage(path.parent if path.parent.is_dir() else Path.cwd()).free
        raise DiskFull(
            f"{path}: cannot be written, for {NO_ROOM[error.errno]}: {needed}{free / 1e6:,.1f} MB are free."
        ) from error


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; some file systems know no such thing of folders."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder or error.errno in NO_ROOM or error.errno == errno.EIO:
            raise


@contextmanager
def opened_for_reading(path: Path) -> Iterator[tuple[int, int]]:
    """Open a file that may be anything: gives its descriptor, and its size in bytes.

    Raises:
        OSError: it is not there, cannot be opened, is a link out of its folder, or is no file: a pipe, say, which
            would be waited for.
    """
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise OSError(errno.EINVAL, "is a link out of its folder", str(path))
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no file", str(path))
        yield descriptor, found.st_size
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, of: Path | None = None) -> None:
    """Remove the temporary files that a killed process left in a folder that no other process writes to now.

    Args:
        folder: and those in it.
        of: the only file, directly in the folder, whose temporary ones are removed; None for all.
    """
    for path in folder.rglob(".*") if of is None else folder.glob(f".{glob.escape(of.name)}.*"):
        if of is not None and path.stem != f".{of.name}":  # of a file with a longer name
            continue
        if TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, in the strict sense: a number that is not finite becomes null."""
    text = json.dumps(strict_json(content), indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def strict_json(value: Any) -> Any:
    """A value with None, which becomes null, in place of every number that JSON does not know."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: strict_json(item) for key, item in value.items()}
    return [strict_json(item) for item in value] if isinstance(value, list | tuple) else value


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file; what UTF-8 cannot hold (odd file names) is written as backslash escapes."""
    with (
        whole_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
