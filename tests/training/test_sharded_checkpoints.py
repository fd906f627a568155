"""Checkpoints that devices have written in shards: read by one process, whole or not there, refused where damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.files import (
    checkpoint_bytes,
    copy_checkpoint,
    finish_shards,
    remove_checkpoint,
    write_changed,
    write_checkpoint,
    write_shard,
)
from renaissance.checkpoints.restore import restore
from renaissance.checkpoints.shards import Share
from renaissance.errors import UserError
from renaissance.training.checkpoint_io import SafeCheckpointIO
from tests.training.conftest import Runner

DEVICES = 3
FIRST, SECOND = "a" * 32, "b" * 32
Content = dict[str, Any]


def share_of(value: Any, device: int) -> Any:
    """What a device has of a value: the rows that `torch.chunk` gives it, none where there are too few."""
    if not isinstance(value, torch.Tensor) or value.dim() == 0:
        return value
    rows = dict(enumerate(value.chunk(DEVICES)))
    return Share(rows.get(device, value[:0]).clone(), tuple(value.shape))


def shares_of(content: Content, device: int) -> Content:
    """What a device has of a whole checkpoint."""
    states = [
        {
            **one,
            "state": {
                number: {name: share_of(value, device) for name, value in values.items()}
                for number, values in one["state"].items()
            },
        }
        for one in content["optimizer_states"]
    ]
    weights = {name: share_of(value, device) for name, value in content["state_dict"].items()}
    return {**content, "state_dict": weights, "optimizer_states": states}


def write_in_shards(content: Content, path: Path, write: str, finished: bool = True) -> None:
    for device in range(DEVICES):
        write_shard(shares_of(content, device), path, write, device)
    if finished:
        finish_shards(shares_of(content, 0), path, write, DEVICES)


@pytest.fixture(scope="module")
def original(pretrained: Callable[..., Path]) -> Path:
    """A whole checkpoint."""
    return pretrained()


@pytest.fixture
def sharded(original: Path, tmp_path: Path) -> Path:
    """The same in shards."""
    path = tmp_path / "best.ckpt"
    write_in_shards(torch.load(original, weights_only=True), path, FIRST)
    return path


def equal(one: Any, other: Any) -> bool:
    """Whether two contents are the same, to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def test_shards_are_read_as_the_whole_that_they_are_of(original: Path, sharded: Path) -> None:
    whole, found = (SafeCheckpointIO().load_checkpoint(path) for path in (original, sharded))
    del found["shards"]
    assert equal(found, whole)
    assert restore(read_checkpoint(sharded)).tasks.keys() == {"mlm", "itm"}


def test_a_run_goes_on_from_shards_as_from_one_file(run: Runner, original: Path, sharded: Path, tmp_path: Path) -> None:
    shutil.copy(original, whole := tmp_path / "whole.ckpt")
    folders = []
    for path in (whole, sharded):
        asked: dict[str, Any] = {"resume_from": str(path), "max_steps": 5, "exp_name": path.stem}
        folders.append(run("task_mlm_itm", "scenes", "tiny", **asked, chosen=[*asked, "log_dir"])[0])
    one, other = (torch.load(folder.last_checkpoint, weights_only=True) for folder in folders)
    assert one["global_step"] == 5
    assert equal(one["state_dict"], other["state_dict"])
    assert equal(one["optimizer_states"], other["optimizer_states"])


def test_whoever_is_killed_while_writing_leaves_the_checkpoint_before(original: Path, sharded: Path) -> None:
    """The shards of all devices are there, and the file that names them is not: the old one is whole."""
    content = torch.load(original, weights_only=True)
    later = {**content, "global_step": 9, "state_dict": {name: one + 1 for name, one in content["state_dict"].items()}}
    write_in_shards(later, sharded, SECOND, finished=False)
    found = read_checkpoint(sharded)
    assert found.global_step == content["global_step"]
    assert equal(found.state_dict, content["state_dict"])
    finish_shards(shares_of(later, 0), sharded, SECOND, DEVICES)
    found = read_checkpoint(sharded)
    assert found.global_step == 9
    assert equal(found.state_dict, later["state_dict"])
    names = {path.name for path in sharded.with_name("best.ckpt.shards").iterdir()}
    assert names == {f"{SECOND}.{device}.shard" for device in range(DEVICES)}


def test_copies_changes_and_removals_take_the_shards_along(original: Path, sharded: Path, tmp_path: Path) -> None:
    copy, step = read_checkpoint(sharded).state_dict, tmp_path / "run" / "step_3.ckpt"
    copy_checkpoint(sharded, step)
    assert checkpoint_bytes(step) == checkpoint_bytes(sharded) > original.stat().st_size * 0.8
    remove_checkpoint(sharded)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert equal(read_checkpoint(step).state_dict, copy)
    write_changed(step, step, lambda content: {**content, "validated_step": 2})
    assert read_checkpoint(step).validated_step == 2
    assert equal(read_checkpoint(step).state_dict, copy)
    write_checkpoint(torch.load(original, weights_only=True), step)
    assert [path.name for path in step.parent.iterdir()] == ["step_3.ckpt"]


def shard_of(path: Path, device: int = 1, write: str = FIRST) -> Path:
    return path.with_name(f"{path.name}.shards") / f"{write}.{device}.shard"


def rewritten(path: Path, change: Callable[[Content], object]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def first_note(content: Content) -> dict[str, Any]:
    note: dict[str, Any] = next(value for value in content["state_dict"].values() if isinstance(value, dict))
    return note


def weight_of_a_million_rows(content: Content) -> None:
    content["entries"] = [one[:1].expand(10**6, *one.shape[1:]) if len(one) else one for one in content["entries"]]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no shards": (lambda path: shutil.rmtree(shard_of(path).parent), "move the two together"),
    "one shard less": (lambda path: shard_of(path).unlink(), "no such checkpoint file"),
    "a shard that was cut off": (
        lambda path: shard_of(path).write_bytes(shard_of(path).read_bytes()[:-900]),
        "cut off",
    ),
    "another device's shard": (
        lambda path: shutil.copy(shard_of(path, 0), shard_of(path)),
        "no shard of the checkpoint",
    ),
    "no rows": (lambda path: rewritten(shard_of(path), lambda one: one.pop("entries")), "no shard of the checkpoint"),
    "an entry less": (lambda path: rewritten(shard_of(path), lambda one: one["entries"].pop()), "of the same tensors"),
    "a text among the rows": (
        lambda path: rewritten(shard_of(path), lambda one: one["entries"].__setitem__(0, "x")),
        "something else than rows of weights: a str",
    ),
    "numbers shown a million times": (
        lambda path: rewritten(shard_of(path), weight_of_a_million_rows),
        "fewer numbers",
    ),
    "rows that are missing": (
        lambda path: rewritten(shard_of(path), lambda one: one.update(entries=[rows[:-1] for rows in one["entries"]])),
        "which make no tensor of",
    ),
    "a path out of the folder": (
        lambda path: rewritten(path, lambda one: one["shards"].update(write="../" * 10)),
        "cannot be read",
    ),
    "endlessly many shards": (
        lambda path: rewritten(path, lambda one: one["shards"].update(count=10**12)),
        "can be 1 to",
    ),
    "shards that are a list": (lambda path: rewritten(path, lambda one: one.update(shards=[1])), "cannot be read"),
    "a note of no entry": (
        lambda path: rewritten(path, lambda one: first_note(one).update(shard_entry=-1)),
        "have no such entry",
    ),
    "a note without a shape": (
        lambda path: rewritten(path, lambda one: first_note(one).pop("shape")),
        "which make no tensor of None",
    ),
    "an optimiser that is none": (
        lambda path: rewritten(path, lambda one: one.update(optimizer_states=[3])),
        "optimiser's state is none",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_shards_that_are_damaged_or_hostile_are_refused_in_words(sharded: Path, what: str) -> None:
    damage, said = DAMAGES[what]
    damage(sharded)
    with pytest.raises(UserError, match=said):
        read_checkpoint(sharded)
