"""An optimiser step is that of one large batch, however its examples are cut into batches and devices."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from renaissance.tracking.pace import read_pace
from tests.command_line import execute
from tests.training.conftest import Runner
from tests.training.interrupting import run_whole_and_broken, stop_at

TWO_DEVICES = Path(__file__).with_name("two_devices.py")
STEPS = 5  # of 32 of 80 examples or more: through several epochs, each of which leaves some out
# Plain gradient descent shows a wrong gradient as it is; Adam makes rounding errors of the smallest ones large.
SETTINGS: dict[str, Any] = {
    "max_steps": STEPS, "warmup_steps": 0, "batch_size": 32, "optim_type": "sgd", "learning_rate": 0.02, "momentum": 0,
    "lr_mult_head": 1, "lr_mult_cross_modal": 1, "log_interval": 1, "val_check_interval": STEPS, "max_text_len": 20,
    "image_encoder_drop_rate": 0.0, "text_encoder_drop_rate": 0.0, "cross_layer_drop_rate": 0.0,
    "decoder_drop_rate": 0.0, "caption_metric_images": 0, "num_samples": 0, "mlm_prob": 0.15,
}  # fmt: skip
TASKS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "pretraining": (["task_mlm_itm", "scenes", "tiny"], {"itm_false_from": "dataset", "draw_false_text": 1}),
    "imdb": (["task_finetune_imdb", "scenes", "tiny"], {}),
    "cifar10": (["task_finetune_cifar10", "scenes", "tiny"], {}),
    "caption": (["task_foundation_captioning", "scenes", "tiny"], {"caption_prefix_encoder": False}),
    "prefix": (["task_foundation_captioning", "scenes", "tiny"],
               {"caption_prefix_encoder": True, "label_smoothing": 0.1}),
}  # fmt: skip


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def metrics(folder: Path) -> dict[tuple[str, str], float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return {(row["name"], row["step"]): float(row["value"]) for row in csv.DictReader(file)}


def assert_same_training(folder: Path, reference: Path, without: tuple[str, ...] = ()) -> None:
    """Every weight and every recorded metric agree to rounding; but for metrics that begin like one of `without`."""
    ours, theirs = weights(folder), weights(reference)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=2e-6, msg=name)
    recorded, expected = (
        {key: value for key, value in metrics(one).items() if not key[0].startswith(without)}
        for one in (folder, reference)
    )
    assert recorded.keys() == expected.keys()
    assert len({step for _, step in recorded}) == STEPS
    assert recorded == pytest.approx(expected, rel=1e-4)
    for row, wanted in zip(*(read_pace(one / "pace.csv") for one in (folder, reference)), strict=True):
        assert row[:3] == wanted[:3]
        assert row.gradient_norm == pytest.approx(wanted.gradient_norm, rel=1e-4)
        assert row.learning_rate == wanted.learning_rate


@pytest.fixture(scope="module")
def whole(scenes_root, tmp_path_factory):
    """Gives the run of a task in batches of 32, made once."""
    known: dict[str, Path] = {}

    def run(task: str) -> Path:
        if task not in known:
            named, settings = TASKS[task]
            runner = Runner(scenes_root, tmp_path_factory.mktemp(task))
            folder, _ = runner(*named, **SETTINGS, **settings, per_gpu_batchsize=32)
            known[task] = folder.path
        return known[task]

    return run


@pytest.mark.parametrize("task", TASKS)
def test_accumulated_batches_make_the_step_of_a_large_one(run, whole, task):
    named, settings = TASKS[task]
    folder, _ = run(*named, **SETTINGS, **settings, per_gpu_batchsize=8)
    assert_same_training(folder.path, whole(task))


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("device_batch", [16, 8])
def test_two_devices_make_the_step_of_a_large_batch(scenes_root, tmp_path, whole, task, device_batch):
    named, settings = TASKS[task]
    given = {**SETTINGS, **settings, "per_gpu_batchsize": device_batch, "num_scenes": 120, "num_gpus": 0,
             "num_workers": 0, "data_root": scenes_root, "log_dir": tmp_path}  # fmt: skip
    reference = whole(task)
    execute("with", *named, *(f"{name}={value}" for name, value in given.items()), program=TWO_DEVICES)
    assert_same_training(tmp_path / reference.parent.name / "1", reference)


def test_a_run_interrupted_between_steps_reads_on_where_it_stopped(run):
    """Batches are read a step ahead; a resumed run begins with the first one that was not trained on."""
    settings = {**SETTINGS, "per_gpu_batchsize": 8, "optim_type": "adamw", "learning_rate": 1e-3}
    broken_off = stop_at(2, "mlm/train/loss")
    one, other = run_whole_and_broken(run, "task_mlm_itm", "scenes", "tiny", stop=broken_off, **settings)
    assert metrics(one.path) == metrics(other.path)
    assert all(torch.equal(weights(one.path)[name], tensor) for name, tensor in weights(other.path).items())
