"""Checkpoints on the way: when they are written, which stay, what they hold, and that none is lost or piles up."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
import torch

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.errors import Interrupted, UserError
from renaissance.training.callbacks import interval_checkpoints
from tests.training.interrupting import stop_at

NAMED = ("task_mlm", "scenes", "tiny")
SETTINGS = {"max_steps": 9, "val_check_interval": 4, "warmup_steps": 0, "log_interval": 1, "num_scenes": 60,
            "batch_size": 8, "per_gpu_batchsize": 4}  # fmt: skip


def kept(folder):
    """The checkpoints of a run by the steps that they say they are of."""
    found = {}
    for path in folder.last_checkpoint.parent.iterdir():
        if path.name.startswith("step_"):
            found[path.name] = torch.load(path, weights_only=True)
    steps = {name: content["global_step"] for name, content in found.items()}
    assert steps == {f"step_{step}.ckpt": step for step in steps.values()}
    return {content["global_step"]: content for content in found.values()}


def test_the_newest_stay_and_a_validation_at_their_step_is_in_them(run):
    folder, _ = run(*NAMED, **SETTINGS, checkpoint_interval=2, keep_checkpoints=3)
    contents = kept(folder)
    assert sorted(contents) == [4, 6, 8], "written at 2, 4, 6 and 8"
    assert [contents[step]["validated_step"] for step in (4, 6, 8)] == [4, 4, 8]
    assert torch.load(folder.last_checkpoint, weights_only=True)["global_step"] == 9
    plain, _ = run(*NAMED, **SETTINGS)
    assert plain.metrics.read_text() == folder.metrics.read_text(), "training is the same with them"
    assert not kept(plain)


def test_all_stay_and_epochs_count(run):
    settings = {**SETTINGS, "max_steps": None, "max_epoch": 1, "val_check_interval": 1.0, "batch_size": 32}
    folder, _ = run(*NAMED, **{**settings, "per_gpu_batchsize": 32}, checkpoint_interval=0.5, keep_checkpoints=None)
    contents = kept(folder)
    (epoch,) = {content["plan"]["epoch_batches"] for content in contents.values()}
    every = round(epoch / 2)
    assert sorted(contents) == list(range(every, epoch + 1, every))


def test_one_of_them_is_gone_on_from_in_a_new_folder(run):
    folder, final = run(*NAMED, **SETTINGS, checkpoint_interval=3)
    path = folder.step_checkpoint(6)
    again, resumed = run(resume_from=str(path), exp_name="again", chosen=("resume_from", "exp_name"))
    assert again.path != folder.path
    assert resumed == final
    assert read_checkpoint(path).global_step == 6


def test_an_interrupted_run_goes_on_from_the_newest(run, monkeypatch):
    class Killed(BaseException):
        """Stands for kill -9."""

    def kill(metric, value, at):
        if metric == "mlm/train/loss" and at == 7:
            raise Killed

    with pytest.raises(Killed):
        run(*NAMED, **SETTINGS, checkpoint_interval=3, log_scalar=kill, exp_name="broken")
    folder = run.folder("broken")
    assert read_checkpoint(folder.last_checkpoint).global_step == 6, "not that of the validation at step 4"
    resumed, final = run(*NAMED, exp_name="broken", resume_from="auto")
    assert (resumed.path, final) == (folder.path, run(*NAMED, **SETTINGS, exp_name="whole")[1])


@pytest.mark.parametrize("step", [4, 8])
def test_a_step_whose_validation_was_interrupted_has_its_own_all_the_same(run, step):
    """The validation is made up for when the run goes on, and the checkpoint with it."""
    settings = {**SETTINGS, "max_steps": 8, "checkpoint_interval": 2, "keep_checkpoints": None}
    with pytest.raises(Interrupted):
        run(*NAMED, **settings, exp_name="broken", log_scalar=stop_at(step, "mlm/train/loss"))
    resumed, _ = run(*NAMED, exp_name="broken", resume_from="auto")
    assert sorted(kept(resumed)) == [2, 4, 6, 8]


def test_those_of_steps_still_to_come_go_first(run):
    """What a run wrote of later steps before it was set back must not push out the new ones."""
    stop = stop_at(4, "mlm/train/loss")
    with pytest.raises(Interrupted):
        run(*NAMED, **SETTINGS, checkpoint_interval=2, log_scalar=stop, exp_name="broken")
    folder = run.folder("broken")
    shutil.copy(folder.step_checkpoint(2), folder.step_checkpoint(80))
    run(*NAMED, exp_name="broken", resume_from="auto", keep_checkpoints=2)
    names = sorted(path.name for path in folder.last_checkpoint.parent.glob("step_*"))
    assert names == ["step_6.ckpt", "step_8.ckpt"]


def test_too_little_room_for_those_to_come_is_said_when_the_first_is_written(run, capsys, monkeypatch):
    monkeypatch.setattr(interval_checkpoints.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    run(*NAMED, **SETTINGS, checkpoint_interval=2, keep_checkpoints=None)
    said = capsys.readouterr().err
    assert said.count("warning: checkpoints every 2 steps: 4 of ") == 1
    assert "and 1.0 MB are free. Lower keep_checkpoints, or lengthen checkpoint_interval" in said


@pytest.mark.parametrize("wrong", [0, -1.0, "often", True])
def test_an_interval_is_a_number_above_0(make_settings, wrong):
    with pytest.raises(
        UserError, match=r"checkpoint_interval=.*: must be a number of epochs such as 1\.0, a whole number"
    ):
        make_settings(checkpoint_interval=wrong)
