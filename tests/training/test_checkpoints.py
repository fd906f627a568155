"""Checkpoints are whole or not there, and run nobody's code."""

from __future__ import annotations

import os
import pickle

import pytest
import torch

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.errors import UserError
from renaissance.training.checkpoint_io import SafeCheckpointIO


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_checkpoint_from_a_stranger_runs_no_code(tmp_path, how):
    path, trap = tmp_path / "hostile.ckpt", tmp_path / "trap"
    content = {"state_dict": {}, "renaissance": Hostile(trap)}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=r"hostile\.ckpt"):
        read_checkpoint(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", pickle.dumps({"a": 1})],
    ids=["empty", "text", "plain pickle"],
)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "some.ckpt"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"some\.ckpt: not a checkpoint that can be opened: it is no checkpoint file\.$"
    ):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_named(tmp_path):
    path = tmp_path / "cut.ckpt"
    torch.save({"state_dict": {"weight": torch.randn(1000)}}, path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match=r"cut\.ckpt: not a checkpoint .*: it is a checkpoint file that was cut off"):
        read_checkpoint(path)


def test_another_projects_checkpoint_is_refused(tmp_path):
    path = tmp_path / "foreign.ckpt"
    torch.save({"state_dict": {}, "global_step": 3}, path)
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        read_checkpoint(path)


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    SafeCheckpointIO().save_checkpoint({"step": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        SafeCheckpointIO().save_checkpoint({"step": lambda: 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert os.listdir(tmp_path) == ["last.ckpt"]
