"""Opening a checkpoint file that may come from anywhere: whole, running no code, bounded in time and memory.

Comes in: a path. Goes out: what `torch.load(weights_only=True)` reads of it, or one `UserError`. Everything of the file
is read once for its checksums, which PyTorch writes and does not look at; 500 MB take about a second.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renaissance.errors import UserError

ZIP_START = b"PK\x03\x04"
READ_BYTES = 1 << 20
MOST_VALUES, MOST_NESTED, LARGEST_NUMBER = 1_000_000, 50, 1 << 63  # of what a checkpoint says beside its tensors
WEIGHT_TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int32, torch.int16,
                torch.int8, torch.uint8, torch.bool)  # fmt: skip


def load_safely(path: Path) -> dict[str, Any]:
    """The content of a checkpoint file, opened so that it can run no code; tensors stay mapped to the file.

    Raises:
        UserError: if the file is missing, damaged, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file. Runs keep theirs in result/<exp_name>/<n>/checkpoints/.")
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever goes wrong while its pickle is read is the file's doing
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a checkpoint that can be opened safely ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a checkpoint; it holds a {type(content).__name__}")
    return content


def _check_archive(path: Path) -> None:
    """Check that every byte is as it was written, and that the file unpacks to no more than it holds.

    Raises:
        UserError: it is no archive, was cut off or changed, or is packed otherwise than PyTorch packs.
    """
    if not zipfile.is_zipfile(path):  # torch's message would be of its own arguments
        with path.open("rb") as file:
            begun = file.read(len(ZIP_START)) == ZIP_START
        kind = "a checkpoint file that was cut off; copy it again" if begun else "no checkpoint file"
        raise UserError(f"{path}: not a checkpoint that can be opened: it is {kind}.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
            if packed or sum(member.file_size for member in members) > path.stat().st_size:
                raise UserError(f"{path}: not a checkpoint that can be opened: it is packed, as PyTorch packs none.")
            for member in members:
                with archive.open(member) as file:
                    while file.read(READ_BYTES):
                        pass
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"{path}: this checkpoint is damaged ({error}). Copy it again from where it was written, or take another "
            "of the same run, last.ckpt or best.ckpt."
        ) from error


def check_weights(state: Any, path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint, when they are tensors by name that lie in the file as a whole.

    Raises:
        UserError: naming the first that is something else.
    """
    if not isinstance(state, Mapping):
        raise UserError(f"{path}: holds something else than weights by name: a {type(state).__name__}.")
    for name, tensor in state.items():
        fault = "a name that is no text" if not isinstance(name, str) else fault_of_weight(tensor)
        if fault:
            raise UserError(f"{path} holds something else than weights: {name} is {fault}.")
    return dict(state)


def fault_of_weight(tensor: Any) -> str:
    """What makes a value unfit for a weight; empty where nothing does."""
    if not isinstance(tensor, Tensor):
        return f"a {type(tensor).__name__}"
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_quantized:
        return "a sparse, nested or quantised tensor"
    if tensor.device.type != "cpu":
        return "a tensor without its numbers"
    if tensor.dtype not in WEIGHT_TYPES:
        return f"a tensor of {tensor.dtype}"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"a tensor of {tuple(tensor.shape)}, for which the file has fewer numbers"
    return ""


def check_plain(value: Any, where: str, path: Path) -> None:
    """Check that a part of a checkpoint is made of plain values, few and flat enough to be walked through.

    Raises:
        UserError: it is not.
    """
    seen, waiting = 0, [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > MOST_VALUES or depth > MOST_NESTED:
            raise UserError(f"{path}: its entry {where!r} is too large or too deeply nested to be a checkpoint's.")
        if isinstance(value, dict):
            waiting.extend((part, depth + 1) for pair in value.items() for part in pair)
        elif isinstance(value, list | tuple):
            waiting.extend((part, depth + 1) for part in value)
        elif isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise UserError(f"{path}: its entry {where!r} holds a whole number of more than 64 bits.")
        elif not isinstance(value, str | int | float | None):
            raise UserError(f"{path}: its entry {where!r} holds a {type(value).__name__}, which is no plain value.")
