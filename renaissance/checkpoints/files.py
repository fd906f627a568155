"""Checkpoints on the disk: written, copied, changed and removed, with the shards of those that have some.

Comes in: a content, or a checkpoint's path. Goes out: files. The checkpoint file itself is written last and renamed,
and what it took the place of goes only then: whenever the process ends, the path has one whole checkpoint, the old or
the new one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renaissance.atomic_files import whole_file
from renaissance.checkpoints.opening import load_safely
from renaissance.checkpoints.shards import ENTRY, Content, shard_name, shard_names, shards_folder, taken_apart
from renaissance.errors import UserError


def write_checkpoint(content: Content, path: Path) -> None:
    """Write a checkpoint that is one file, whole or not at all.

    Raises:
        DiskFull: there is no room for it.
    """
    _write(content, path)
    _remove_other_shards(path, ())


def write_shard(content: Content, path: Path, write: str, number: int) -> None:
    """Write this device's share of a checkpoint, beside the one that is there.

    Args:
        content: the checkpoint's, with a `Share` of each tensor that devices share; on every device in the same order.
        path: the checkpoint file.
        write: 32 hexadecimal digits that name this checkpoint.
        number: this device's.

    Raises:
        DiskFull: there is no room for it.
    """
    shard = {"write": write, "number": number, "entries": taken_apart(content)[1]}
    _write(shard, shards_folder(path) / shard_name(write, number))


def finish_shards(content: Content, path: Path, write: str, count: int) -> None:
    """Write the checkpoint file over the shards that all devices have written, which is what makes them count.

    Args:
        content: the checkpoint's, as `write_shard` was given it.
        path: the checkpoint file.
        write: the name of this checkpoint, as `write_shard` was given it.
        count: devices.

    Raises:
        DiskFull: there is no room for it.
    """
    main = {**taken_apart(content)[0], ENTRY: {"write": write, "count": count}}
    _write(main, path)
    _remove_other_shards(path, shard_names(main, path))


def copy_checkpoint(source: Path, target: Path) -> None:
    """Copy a checkpoint; the target is whole or as it was. Shards are linked where the disk can do so.

    Raises:
        DiskFull: there is no room for it.
        UserError: the source cannot be read.
    """
    names = _carry_shards(source, target)
    with whole_file(target, size=source.stat().st_size) as temporary:
        shutil.copyfile(source, temporary)
    _remove_other_shards(target, names)


def write_changed(source: Path, target: Path, change: Callable[[Content], Content]) -> None:
    """Write a checkpoint with other entries beside its tensors, which are as they were.

    Args:
        source: the checkpoint.
        target: may be the same.
        change: gives the new content of the checkpoint file.

    Raises:
        DiskFull: there is no room for it.
        UserError: the source cannot be read.
    """
    names = _carry_shards(source, target)
    _write(change(load_safely(source)), target)
    _remove_other_shards(target, names)


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint, first the file that makes it one."""
    path.unlink(missing_ok=True)
    _remove_other_shards(path, ())


def checkpoint_bytes(path: Path) -> int:
    """The size of a checkpoint with its shards."""
    shards = shards_folder(path)
    return path.stat().st_size + sum(one.stat().st_size for one in (shards.iterdir() if shards.is_dir() else ()))


def _carry_shards(source: Path, target: Path) -> list[str]:
    """Have the shards of one checkpoint in the place of another's as well; their names."""
    names = shard_names(load_safely(source), source)
    if source.resolve() == target.resolve():
        return names
    for name in names:
        shard, kept = shards_folder(source) / name, shards_folder(target) / name
        if not shard.is_file():
            raise UserError(f"{shard}: this shard of {source} is not there.")
        if not kept.is_file():
            with whole_file(kept, size=shard.stat().st_size) as temporary:
                _link_or_copy(shard, temporary)
    return names


def _link_or_copy(source: Path, target: Path) -> None:
    """Nothing changes a shard, so two names can be of the same one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _remove_other_shards(path: Path, names: Collection[str]) -> None:
    """Remove what lies in a checkpoint's folder of shards and is none of its own, and the folder where it has none."""
    folder = shards_folder(path)
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.name not in names:
            one.unlink(missing_ok=True)
    if not names:
        folder.rmdir()


def _write(content: Content, path: Path) -> None:
    """Write a file in PyTorch's format, whole or not at all.

    Raises:
        DiskFull: there is no room for it.
    """
    with whole_file(path, size=_bytes_of(content)) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # PyTorch's own of its place in the file, with the system's behind it
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise


def _bytes_of(value: Any) -> int:
    """The bytes of the tensors in nested dictionaries and lists; those that share their memory count once."""
    storages: dict[int, int] = {}
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return sum(storages.values())
