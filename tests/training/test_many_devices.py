"""Two processes make the run of one: for every task there is the same weights, curve, metrics and predictions."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import renaissance
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.tasks.registry import task_names
from renaissance.tracking.pace import read_pace
from tests.command_line import ROOT
from tests.training.conftest import Runner

PROGRAM = Path(__file__).with_name("two_processes.py")
SECONDS = 900  # on a machine that does other things too
# Plain gradient descent shows a wrong gradient as it is; Adam makes rounding errors of the smallest ones large. The
# splits that are evaluated have odd sizes, and come in batches that do not divide them.
SETTINGS: dict[str, Any] = {
    "max_steps": 3, "warmup_steps": 0, "batch_size": 16, "optim_type": "sgd", "learning_rate": 0.02, "momentum": 0,
    "lr_mult_head": 1, "lr_mult_cross_modal": 1, "log_interval": 1, "val_check_interval": 3, "max_text_len": 20,
    "image_encoder_drop_rate": 0.0, "text_encoder_drop_rate": 0.0, "cross_layer_drop_rate": 0.0, "drop_rate": 0.0,
    "decoder_drop_rate": 0.0, "caption_metric_images": 3, "num_samples": 0, "mlm_prob": 0.15, "eval_batch_size": 4,
    "datasets": ["scenes"], "num_scenes": 70, "image_size": 32,
    "image_encoder_hidden_size": 32, "text_encoder_hidden_size": 32, "cross_layer_hidden_size": 32,
    "decoder_hidden_size": 32, "hidden_size": 32,
}  # fmt: skip
# Beside every task alone: tasks that share batches, tasks that take turns, and choices that draw.
TOGETHER: dict[str, dict[str, Any]] = {
    "pretraining": {"loss_names": {"mlm": 1, "itm": 0.5}, "itm_false_from": "dataset", "draw_false_text": 1},
    "hard": {"loss_names": {"contrastive": 1, "itm": 1}, "itm_false_from": "hard"},
    "turns": {"loss_names": {"itm": 1, "imdb": 1}},
    "one-tower": {"loss_names": {"mlm": 1, "itm": 1}, "model_type": "one-tower"},
    "late-fusion": {"loss_names": {"vqa": 1}, "model_type": "late-fusion"},
    "fsdp": {
        "loss_names": {"mlm": 1, "itm": 1},
        "itm_false_from": "dataset",
        "strategy": "fsdp",
        "optim_type": "adamw",
        "learning_rate": 1e-3,
        "adam_epsilon": 1e-3,
        "gradient_clip_val": 1.0,
        "schedule": "none",
    },
    "fsdp-contrastive": {"loss_names": {"contrastive": 1}, "strategy": "fsdp", "gradient_clip_val": 1.0},
    "fsdp-caption": {"loss_names": {"caption": 1}, "strategy": "fsdp"},
    "prefix": {"loss_names": {"caption": 1}, "caption_prefix_encoder": True, "label_smoothing": 0.1},
}
# These draw false partners from the examples that a device takes at once, so they are compared with one process that
# takes as many at once; the others with one that takes a whole step.
DRAW_FROM_BATCH = ("itm", "irtr", "hard", "turns", "one-tower")
RUNS = {**{name: {"loss_names": {name: 1}} for name in task_names()}, **TOGETHER}
# Four steps whose checkpoints each device writes its share of, and the fourth again from the checkpoint of the third.
SHARDED = {**TOGETHER["fsdp"], "fsdp_checkpoints": "sharded", "max_steps": 4, "checkpoint_interval": 3}


def settings_of(name: str, device_batch: int) -> dict[str, Any]:
    """Those of a run, whose device takes so many examples at once."""
    chosen = {**SETTINGS, **RUNS.get(name, SHARDED), "exp_name": name, "per_gpu_batchsize": device_batch}
    return {**chosen, "loss_names": {**dict.fromkeys(task_names(), 0), **chosen["loss_names"]}}


def free_ports(number: int) -> list[int]:
    """Ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def together(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have left every run; each step is of two devices that take two batches each."""
    folder = tmp_path_factory.mktemp("two_processes")
    resumed = {**settings_of("on", 4), "resume_from": str(third_step(folder))}
    every = [*(settings_of(name, 4) for name in RUNS), settings_of("sharded", 4), resumed]
    runs = [{"named": ["tiny"], "settings": settings} for settings in every]
    plan = {"data_root": str(scenes_root), "log_dir": str(folder), "runs": runs, "ports": free_ports(len(runs))}
    (folder / "runs.json").write_text(json.dumps(plan))
    processes = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder / "runs.json"), str(rank)], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=SECONDS)[0] for process in processes]
    (folder / "said.txt").write_text("\n".join(said))
    return folder


def third_step(folder: Path) -> Path:
    """The sharded checkpoint of a run's third step of four."""
    return folder / "sharded" / "1" / "checkpoints" / "step_3.ckpt"


def metrics(folder: Path) -> dict[tuple[str, str], float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return {(row["name"], row["step"]): float(row["value"]) for row in csv.DictReader(file)}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "checkpoints" / "last.ckpt").state_dict


def predictions(folder: Path) -> dict[str, list[Any]]:
    """The examples that were answered, by file."""
    files = sorted((folder / "predictions").glob("*.jsonl"))
    return {path.name: [json.loads(line)["id"] for line in path.read_text().splitlines()] for path in files}


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_make_the_run_of_one(run: Runner, together: Path, name: str) -> None:
    assert (together / name / "1" / "summary.json").is_file(), (together / "said.txt").read_text()[-4000:]
    alone, _ = run("tiny", **settings_of(name, 4 if name in DRAW_FROM_BATCH else 16))
    reference, folder = alone.path, together / name / "1"
    assert [path.name for path in (together / name).iterdir()] == ["1"]
    expected, found = weights(reference), weights(folder)
    assert found.keys() == expected.keys()
    for weight, tensor in expected.items():
        torch.testing.assert_close(found[weight], tensor, rtol=1e-4, atol=2e-6, msg=weight)
    assert metrics(folder) == pytest.approx(metrics(reference), rel=1e-4, abs=1e-6)
    assert {step for key, step in metrics(folder) if "/train/" in key} == {"1", "2", "3"}
    assert predictions(folder) == predictions(reference)
    for row, wanted in zip(*(read_pace(one / "pace.csv") for one in (folder, reference)), strict=True):
        assert row[:3] == wanted[:3]
        assert row.gradient_norm == pytest.approx(wanted.gradient_norm, rel=1e-3)


@pytest.mark.slow
def test_two_processes_go_on_from_their_shards_as_if_nothing_had_been(together: Path) -> None:
    """The same weights and the same metrics, to the last bit."""
    whole, resumed = together / "sharded" / "1", together / "on" / "1"
    assert (resumed / "summary.json").is_file(), (together / "said.txt").read_text()[-4000:]
    for name in ("last.ckpt.shards", "best.ckpt.shards", "step_3.ckpt.shards"):
        assert len(list((whole / "checkpoints" / name).iterdir())) == 2
    expected = weights(whole)
    for weight, tensor in weights(resumed).items():
        assert torch.equal(tensor, expected[weight]), weight
    fourth = {key: value for key, value in metrics(whole).items() if key[1] == "4"}
    assert fourth
    assert {key: value for key, value in metrics(resumed).items() if key[1] == "4"} == fourth


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["whole", "sharded"])
def test_one_process_goes_on_with_what_two_have_shared(run: Runner, together: Path, shared: str) -> None:
    """The optimiser's state is whole too: three shared steps and one alone are four alone."""
    whole = together / "fsdp" / "1" / "checkpoints" / "last.ckpt"
    begun = third_step(together) if shared == "sharded" else whole
    settings = {**settings_of("fsdp", 4), "val_check_interval": 4, "max_steps": 4, "strategy": "auto"}
    if shared == "sharded":  # what was trained with is the run's own, its validations too
        settings = {**settings, "val_check_interval": 3}
    alone, _ = run("tiny", **settings)
    asked = {"resume_from": str(begun), "max_steps": 4, "devices": None, "strategy": "auto", "exp_name": "resumed"}
    resumed, _ = run("tiny", **{**settings, **asked}, chosen=[*asked, "log_dir"])
    expected = weights(alone.path)
    for weight, tensor in weights(resumed.path).items():
        torch.testing.assert_close(tensor, expected[weight], rtol=1e-4, atol=2e-6, msg=weight)
    assert not resumed.last_checkpoint.with_name("last.ckpt.shards").exists()
    assert sorted(renaissance.load(str(begun)).tasks) == ["itm", "mlm"]
