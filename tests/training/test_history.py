"""What a run that was resumed remembers: its settings, what it began with, each resume, and the time of all of them."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from renaissance.checkpoints.checkpoint import Spent
from renaissance.errors import Interrupted
from renaissance.tracking.history import read_history
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.resuming import spent_before
from tests.training.interrupting import stop_at

QUICK = {"max_epoch": None, "warmup_steps": 1, "learning_rate": 1e-3, "log_interval": 1, "val_check_interval": 100,
         "batch_size": 8, "per_gpu_batchsize": 8}  # fmt: skip


def test_a_resumed_run_has_its_own_settings_and_keeps_what_it_began_with(run, pretrained, capsys):
    named = ("task_finetune_imdb", "scenes")
    settings = {**QUICK, "max_steps": 4, "load_path": str(pretrained())}
    with pytest.raises(Interrupted):
        run(*named, **settings, log_scalar=stop_at(2, "imdb/train/loss"))
    folder = RunFolder(run.log_dir / "finetune_imdb" / "1")
    began = {path: path.read_bytes() for path in (folder.config, folder.loaded)}
    command, summary = (json.loads(path.read_text()) for path in (folder.command, folder.summary))
    assert command["resumes"] == []
    started = time.time()
    again, _ = run("task_finetune_imdb", resume_from="auto", lr_mult_head=2)  # neither scenes nor the overrides
    took = time.time() - started
    assert again == folder
    assert {path: path.read_bytes() for path in began} == began
    assert str(pretrained()) in folder.loaded.read_text()
    history = json.loads(folder.command.read_text())
    (resume,) = history["resumes"]
    assert {**history, "resumes": []} == command
    assert (resume["step"], resume["changed"]) == (2, {"lr_mult_head": [5, 2]})
    assert resume["command"] == ["run.py", "task_finetune_imdb"]
    assert "changed on resume: lr_mult_head 5.0 → 2.0" in capsys.readouterr().out
    ended = json.loads(folder.summary.read_text())
    assert summary["wall_seconds"] < ended["wall_seconds"] <= summary["wall_seconds"] + took
    assert ended["command"] == command["command"]
    found = read_history(folder)
    assert found is not None
    assert found.settings_now() == {**found.settings, "lr_mult_head": 2}
    saved = torch.load(folder.last_checkpoint, weights_only=True)
    assert saved["renaissance"]["settings"] == found.settings_now()
    assert saved["spent"]["batches"] == 2, "of four, without the first of each leg"


def test_its_config_repeats_a_run_that_was_resumed(run, pretrained):
    settings = {**QUICK, "max_steps": 3, "load_path": str(pretrained())}
    with pytest.raises(Interrupted):
        run("task_finetune_imdb", "scenes", **settings, log_scalar=stop_at(1, "imdb/train/loss"))
    folder, _ = run("task_finetune_imdb", resume_from="auto")
    again, _ = run(**json.loads(folder.config.read_text()))
    assert again.path.name == "2"
    assert again.metrics.read_bytes() == folder.metrics.read_bytes()


def test_a_change_holds_for_the_next_resume_too(run):
    def stop(at: int) -> dict[str, Any]:
        return {"log_scalar": stop_at(at, "itm/train/loss"), "resume_from": "auto"}

    with pytest.raises(Interrupted):
        run("task_itm", "scenes", "tiny", **{**QUICK, "max_steps": 4}, **stop(1))
    with pytest.raises(Interrupted):
        run("task_itm", **stop(2), learning_rate=5e-3)
    folder, _ = run("task_itm", resume_from="auto", loss_names={"itm": 1})
    assert torch.load(folder.last_checkpoint, weights_only=True)["renaissance"]["settings"]["learning_rate"] == 5e-3
    assert json.loads(folder.config.read_text())["learning_rate"] == 1e-3
    assert json.loads(folder.config.read_text())["resume_from"] is None, "auto began a new run"
    assert [resume["changed"] for resume in json.loads(folder.command.read_text())["resumes"]] == [
        {"learning_rate": [1e-3, 5e-3]},
        {},
    ]


def test_what_a_killed_leg_took_is_what_its_checkpoint_knows(tmp_path):
    folder = RunFolder(tmp_path)
    checkpoint = SimpleNamespace(path=folder.last_checkpoint, spent=Spent(30.0, 20.0, 100, 7))
    assert spent_before(folder, checkpoint) == Spent(30.0, 20.0, 100, 7)
    folder.summary.write_text(json.dumps({"wall_seconds": 12.0, "peak_memory_bytes": 9}))  # of the leg before
    assert spent_before(folder, checkpoint) == Spent(30.0, 20.0, 100, 9)
    folder.summary.write_text(json.dumps({"wall_seconds": 40.0, "peak_memory_bytes": 5}))
    assert spent_before(folder, checkpoint) == Spent(40.0, 20.0, 100, 7)
    assert spent_before(RunFolder(tmp_path / "new"), checkpoint) == Spent()
    assert spent_before(folder, None) == Spent()
