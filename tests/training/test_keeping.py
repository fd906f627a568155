"""`last.ckpt` and `best.ckpt` go together whatever the moment a run ends at, and a wrong one is never tested."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from renaissance.errors import UserError
from renaissance.training.callbacks import checkpointing
from tests.training.interrupting import stop_at

SETTINGS = {"max_steps": 4, "val_check_interval": 2, "warmup_steps": 0, "learning_rate": 1e-3, "num_scenes": 60,
            "log_interval": 2}  # fmt: skip
NAMED = ("task_mlm", "scenes", "tiny")


class Killed(BaseException):
    """Stands for kill -9: nothing of the run answers to it."""


def kill(*arguments):
    raise Killed


def best_step(folder):
    return torch.load(folder.best_checkpoint, weights_only=True)["global_step"]


@pytest.fixture
def broken(run, monkeypatch):
    """A run that ended between `last.ckpt`, which names itself the best, and `best.ckpt`: its folder."""
    with monkeypatch.context() as patched:
        patched.setattr(checkpointing, "copy_checkpoint", kill)
        with pytest.raises(Killed):
            run(*NAMED, **SETTINGS, exp_name="broken")
    return run.folder("broken")


def test_a_run_that_ended_between_the_two_writes_has_the_right_best(run, broken, capsys):
    saved = torch.load(broken.last_checkpoint, weights_only=True)
    assert saved["best"][1] == saved["global_step"] == 2
    assert not broken.best_checkpoint.exists()
    for name in (".best.ckpt.4711", ".last.ckpt.4711"):
        broken.last_checkpoint.with_name(name).touch()
    whole, final = run(*NAMED, **SETTINGS, exp_name="whole")
    resumed, again = run(*NAMED, **SETTINGS, exp_name="broken", resume_from="auto")
    assert "written again from last.ckpt" in capsys.readouterr().out
    assert again == final
    assert best_step(resumed) == best_step(whole) == json.loads(resumed.summary.read_text())["best_step"]
    assert not list(resumed.path.rglob(".*")), "what the killed process left is gone"


def test_a_best_of_another_step_is_written_again_or_refused(run, broken):
    """The issue's case: an earlier best lies there, and `last.ckpt` names itself."""
    content = torch.load(broken.last_checkpoint, weights_only=True)
    torch.save({**content, "global_step": 1}, broken.best_checkpoint)
    torch.save({**content, "best": (content["best"][0], 1), "global_step": 2}, broken.last_checkpoint)
    shutil.copy(broken.last_checkpoint, broken.best_checkpoint)
    with pytest.raises(UserError, match=r"best\.ckpt: should be the checkpoint of step 1.* is of step 2"):
        run(*NAMED, **SETTINGS, exp_name="broken", resume_from="auto")
    torch.save(content, broken.last_checkpoint)
    torch.save({**content, "global_step": 1}, broken.best_checkpoint)
    resumed, _ = run(*NAMED, **SETTINGS, exp_name="broken", resume_from="auto")
    assert best_step(resumed) == json.loads(resumed.summary.read_text())["best_step"]


def test_a_validation_that_was_owed_is_counted_in_last_ckpt_before_best_is_written(run, monkeypatch):
    """Killed once in the validation, and again between the two writes that follow its repetition."""
    settings = {**SETTINGS, "val_check_interval": 4}
    whole, final = run(*NAMED, **settings, exp_name="whole")
    with pytest.raises(KeyboardInterrupt):
        run(*NAMED, **settings, exp_name="owed", log_scalar=stop_at(4, "mlm/train/loss"))
    with monkeypatch.context() as patched:
        patched.setattr(checkpointing, "copy_checkpoint", kill)
        with pytest.raises(Killed):
            run(*NAMED, **settings, exp_name="owed", resume_from="auto")
    resumed, again = run(*NAMED, **settings, exp_name="owed", resume_from="auto")
    assert again == final
    assert resumed.metrics.read_text() == whole.metrics.read_text(), "no validation is written twice"
    assert best_step(resumed) == 4


def test_a_run_trained_longer_in_a_new_folder_keeps_its_best(run):
    begun, before = run(*NAMED, **SETTINGS, monitor="mlm/val/loss")
    content = torch.load(begun.last_checkpoint, weights_only=True)
    torch.save({**content, "best": (1e9, content["best"][1])}, begun.last_checkpoint)  # nothing later will be better
    longer, final = run(exp_name="mlm", resume_from=str(begun.last_checkpoint), max_steps=6)
    summary = json.loads(longer.summary.read_text())
    assert longer.path != begun.path
    assert summary["best_step"] == best_step(longer) == best_step(begun)
    assert final["mlm/test/loss"] == pytest.approx(before["mlm/test/loss"])


def test_a_best_that_is_nowhere_is_said(run, tmp_path, capsys):
    begun, _ = run(*NAMED, **SETTINGS, monitor="mlm/val/loss")
    content = torch.load(begun.last_checkpoint, weights_only=True)
    torch.save({**content, "best": (content["best"][0], 1)}, tmp_path / "copy.ckpt")
    run(exp_name="mlm", resume_from=str(tmp_path / "copy.ckpt"), max_steps=6)
    assert "is not the best so far, of step 1; the best is chosen anew" in capsys.readouterr().out


def test_a_run_that_stopped_early_and_is_resumed_at_its_end_knows_its_steps(run):
    stopped, _ = run(*NAMED, **{**SETTINGS, "max_steps": 20, "learning_rate": 1e-9}, early_stopping_patience=1,
                     early_stopping_min_delta=1.0, exp_name="early")  # fmt: skip
    steps = json.loads(stopped.summary.read_text())["steps"]
    assert 0 < steps < 20
    stopped.summary.unlink()  # as if it had been killed in its test
    again, _ = run(exp_name="early", resume_from="auto")
    assert json.loads(again.summary.read_text())["steps"] == steps
