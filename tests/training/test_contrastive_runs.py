"""Runs of contrastive learning: alone and beside ITM and MLM, stopped and resumed, on two devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from renaissance.tracking.run_folder import RunFolder
from tests.command_line import ROOT, execute, final_metrics
from tests.training.conftest import Runner
from tests.training.interrupting import run_whole_and_broken, stop_at

QUICK: dict[str, Any] = {
    "max_steps": 4, "warmup_steps": 1, "val_check_interval": 4, "log_interval": 1, "batch_size": 8,
    "per_gpu_batchsize": 8, "eval_batch_size": 64, "image_size": 32,
}  # fmt: skip


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    return state


def test_a_resumed_run_with_hard_pairs_and_masked_words_equals_the_run_through(run: Runner) -> None:
    stop = stop_at(2, "contrastive/train/loss")
    settings = QUICK | {"contrastive_drop_rate": 0.2}
    whole, broken = run_whole_and_broken(run, "task_albef", "scenes", "tiny", stop=stop, **settings)
    first, second = weights(whole), weights(broken)
    assert all(torch.equal(first[tensor], second[tensor]) for tensor in first)
    assert whole.metrics.read_text() == broken.metrics.read_text()


def test_the_scale_is_clamped_after_each_step(run: Runner) -> None:
    """With a rate that would carry it off, whichever way it wants."""
    folder, final = run("task_contrastive", "scenes", "tiny", **QUICK, optim_type="sgd", momentum=0, lr_mult_head=1e6)
    assert 1 <= final["contrastive/train/scale"] <= 100.001
    assert 0 <= weights(folder)["tasks.contrastive.log_scale"] <= torch.tensor(100.0).log()


@pytest.mark.slow
def test_a_test_on_two_devices_is_that_on_one(run: Runner, scenes_root: Path, tmp_path: Path) -> None:
    """Captions of one image come to both devices: 20 of the split's texts, three a batch."""
    folder, _ = run("task_contrastive", "scenes", "tiny", **QUICK)
    words = ["with", "task_contrastive", "scenes", "test_only=True", f"load_path={folder.best_checkpoint}"]
    words += [f"data_root={scenes_root}", "num_gpus=0", "num_workers=0", "num_scenes=120", "eval_batch_size=3"]
    alone = final_metrics(execute(*words, f"log_dir={tmp_path}/one", program=ROOT / "run.py"))
    together = final_metrics(execute(*words, f"log_dir={tmp_path}/two", "devices=2"))
    assert together.keys() == alone.keys()
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_the_scenes_are_learnt(run: Runner, tmp_path: Path) -> None:
    """On a tenth of the sample set; chance among its 50 images is 0.02."""
    few: dict[str, Any] = {
        "num_scenes": 600,
        "max_steps": 150,
        "val_check_interval": 150,
        "batch_size": 64,
        "per_gpu_batchsize": 64,
    }
    _, final = run("task_clip_scenes", **few, data_root=str(tmp_path / "arrow"))
    assert final["contrastive/val/ir_r1"] > 0.2
    assert final["contrastive/val/tr_median_rank"] <= 10
