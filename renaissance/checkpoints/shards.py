"""Sharded checkpoints: the rows of weights and optimiser state that each device has lie in a file of that device's.

`last.ckpt` then holds everything else and names its shards, which lie beside it in `last.ckpt.shards/`. Shards are
never changed: a new checkpoint has shards of new names, and counts from when its `last.ckpt` has taken the place of the
one before (`files.py`). Every file is in PyTorch's format and opened as any checkpoint is (`opening.py`), so none of
them can run code.

    last.ckpt       {..., "state_dict": {"model.a": {"shard_entry": 0, "shape": [10, 4]}, "model.b": tensor, ...},
                     "shards": {"write": "0f3a…", "count": 2}}
    last.ckpt.shards/0f3a….0.shard      {"write": "0f3a…", "number": 0, "entries": [rows 0-4 of model.a, ...]}
    last.ckpt.shards/0f3a….1.shard      {"write": "0f3a…", "number": 1, "entries": [rows 5-9 of model.a, ...]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from renaissance.checkpoints.opening import fault_of_weight, load_safely
from renaissance.errors import UserError

ENTRY = "shards"
SHARED = ("state_dict", "optimizer_states")  # the entries of a checkpoint that devices have shares of
PLACE = "shard_entry"
MOST_SHARDS, MOST_DIMENSIONS = 1 << 16, 64
MOST_SHOWN_TWICE = 8  # how often weights may be tied: a file's entries together, over its size
_WRITE = re.compile(r"[0-9a-f]{32}")
Content = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """What this device has of a tensor, to be written.

    Attributes:
        rows: along the first dimension, following on those of the device before.
        shape: of the whole tensor.
    """

    rows: Tensor
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Cut:
    """A tensor that was read in parts, which stay mapped to their files.

    Attributes:
        parts: rows along the first dimension, one part after the other.
    """

    parts: tuple[Tensor, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(len(part) for part in self.parts), *self.parts[0].shape[1:])

    def whole(self) -> Tensor:
        """All rows, copied."""
        return torch.cat(self.parts)

    def rows(self, start: int, count: int) -> Tensor:
        """Some of the rows, copied; no other is read."""
        found, at = [self.parts[0][:0]], 0
        for part in self.parts:
            first, last = max(start - at, 0), min(start + count - at, len(part))
            if first < last:
                found.append(part[first:last])
            at += len(part)
        return torch.cat(found)


def shards_folder(checkpoint: Path) -> Path:
    """Where the shards of a checkpoint lie."""
    return checkpoint.with_name(f"{checkpoint.name}.shards")


def shard_names(content: Mapping[str, Any], path: Path) -> list[str]:
    """The names of the shards of a checkpoint file, by device; none of one that is whole.

    Args:
        content: of the checkpoint file.
        path: names it in messages.

    Raises:
        UserError: what it says of its shards is not what a run writes.
    """
    said = content.get(ENTRY)
    if said is None:
        return []
    write, count = (said.get("write"), said.get("count")) if isinstance(said, dict) else (None, None)
    if not isinstance(write, str) or not _WRITE.fullmatch(write):
        raise UserError(f"{path}: what it says of its shards cannot be read. Was it changed since it was written?")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SHARDS:
        raise UserError(f"{path}: names {str(count)[:40]} shards, and there can be 1 to {MOST_SHARDS:,}.")
    return [shard_name(write, number) for number in range(count)]


def shard_name(write: str, number: int) -> str:
    """The name of a device's shard.

    Args:
        write: 32 hexadecimal digits, others for each checkpoint that is written.
        number: the device's.
    """
    return f"{write}.{number}.shard"


def taken_apart(content: Content) -> tuple[Content, list[Tensor]]:
    """A checkpoint's content with a note in the place of every `Share`, and this device's rows in their order."""
    rows: list[Tensor] = []

    def noted(value: Any) -> Any:
        if isinstance(value, Share):
            rows.append(value.rows)
            return {PLACE: len(rows) - 1, "shape": list(value.shape)}
        if isinstance(value, dict):
            return {key: noted(one) for key, one in value.items()}
        return [noted(one) for one in value] if isinstance(value, list) else value

    return {name: noted(value) if name in SHARED else value for name, value in content.items()}, rows


def put_together(content: Content, path: Path) -> Content:
    """A checkpoint's content with a `Cut` in the place of every note; a whole one's as it is.

    Args:
        content: of the checkpoint file.
        path: the checkpoint file.

    Raises:
        UserError: a shard is missing, damaged, of another checkpoint, or does not hold what the file says.
    """
    names = shard_names(content, path)
    if not names:
        return content
    folder = shards_folder(path)
    if not folder.is_dir():
        raise UserError(
            f"{path}: is a sharded checkpoint, whose shards lie beside it in {folder.name}/, and that is not there. "
            "Copy or move the two together."
        )
    write = content[ENTRY]["write"]
    entries = [_entries(folder / name, write, number) for number, name in enumerate(names)]
    if len({len(one) for one in entries}) != 1:
        raise UserError(f"{path}: its shards do not hold rows of the same tensors. Were they changed?")
    filled = dict(content)
    if isinstance(content.get("state_dict"), Mapping):
        filled["state_dict"] = _filled(content["state_dict"], entries, path)
    if isinstance(content.get("optimizer_states"), list):
        filled["optimizer_states"] = [_filled_state(one, entries, path) for one in content["optimizer_states"]]
    return filled


def joined_states(states: list[Any]) -> list[Any]:
    """Optimisers' states with a tensor in the place of every `Cut`."""
    return [{**one, "state": {number: _joined(values) for number, values in one["state"].items()}} for one in states]


def _joined(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.whole() if isinstance(value, Cut) else value for name, value in values.items()}


def _entries(shard: Path, write: str, number: int) -> list[Tensor]:
    """The rows of a shard.

    Raises:
        UserError: it is none of this checkpoint.
    """
    content = load_safely(shard)
    entries = content.get("entries")
    if (content.get("write"), content.get("number")) != (write, number) or not isinstance(entries, list):
        raise UserError(f"{shard}: is no shard of the checkpoint beside it. Copy the two again, together.")
    shown = 0
    for entry in entries:
        fault = fault_of_weight(entry) or ("a single number" if entry.dim() == 0 else "")
        if fault:
            raise UserError(f"{shard}: holds something else than rows of weights: {fault}.")
        shown += entry.numel() * entry.element_size()
    if shown > MOST_SHOWN_TWICE * shard.stat().st_size:
        raise UserError(f"{shard}: shows the same numbers more than {MOST_SHOWN_TWICE} times, which no run writes.")
    return entries


def _filled_state(state: Any, entries: list[list[Tensor]], path: Path) -> Any:
    """An optimiser's state, filled."""
    if not isinstance(state, dict) or not isinstance(state.get("state"), dict):
        raise UserError(f"{path}: its optimiser's state is none. Was it changed?")
    of_each = {
        number: _filled(values, entries, path) if isinstance(values, Mapping) else values
        for number, values in state["state"].items()
    }
    return {**state, "state": of_each}


def _filled(values: Mapping[str, Any], entries: list[list[Tensor]], path: Path) -> dict[str, Any]:
    return {
        name: _cut(value, entries, f"{path}: {name}") if isinstance(value, dict) and PLACE in value else value
        for name, value in values.items()
    }


def _cut(note: Mapping[str, Any], entries: list[list[Tensor]], where: str) -> Cut:
    """The tensor that a note is for.

    Raises:
        UserError: the shards hold no such one.
    """
    number, shape = note[PLACE], note.get("shape")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(entries[0]):
        raise UserError(f"{where}: its shards have no such entry. Was it changed?")
    parts = tuple(one[number] for one in entries)
    first = parts[0]
    alike = all(part.dtype == first.dtype and part.shape[1:] == first.shape[1:] for part in parts)
    if not alike or first.dim() > MOST_DIMENSIONS or list(Cut(parts).shape) != shape:
        raise UserError(f"{where}: its shards hold {_in_words(parts)}, which make no tensor of {str(shape)[:80]}.")
    return Cut(parts)


def _in_words(parts: tuple[Tensor, ...]) -> str:
    shapes: Iterator[str] = (f"{tuple(part.shape)} of {part.dtype}" for part in parts[:3])
    return ", ".join(shapes)[:200] + (", …" if len(parts) > 3 else "")
