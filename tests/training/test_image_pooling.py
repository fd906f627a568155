"""How images become vectors is carried from a captioning run to what is made of its image encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from config import ex
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import restore
from renaissance.errors import UserError
from renaissance.inference.export import export_encoders
from renaissance.settings import check_settings
from tests.training.conftest import Runner

QUICK: dict[str, Any] = {"max_steps": 1, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8}
CAPTIONS = {**QUICK, "max_epoch": None, "caption_metric_images": 0, "num_samples": 0, "caption_prefix_encoder": False}


@pytest.fixture(scope="module")
def captioning(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a step of captioning."""
    run = Runner(scenes_root, tmp_path_factory.mktemp("captioning"))
    folder, _ = run("task_foundation_captioning", "scenes", **CAPTIONS)
    return folder.last_checkpoint


@pytest.fixture(scope="module")
def transferred(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory, captioning: Path) -> tuple[Path, float]:
    """The checkpoint of a step of CIFAR-10 with that run's image encoder, and its loss on the test split."""
    run = Runner(scenes_root, tmp_path_factory.mktemp("transferred"))
    folder, final = run("task_finetune_cifar10", "scenes", **QUICK, load_modules={"image_encoder": str(captioning)})
    return folder.best_checkpoint, final["cifar10/test/loss"]


def pooling_of(path: Path) -> str:
    return str(read_checkpoint(path).description.settings["image_pooling"])


def test_captioning_transfer_takes_the_mean_and_others_the_class_position(run, pretrained, captioning, transferred):
    assert pooling_of(captioning) == "mean"
    assert pooling_of(transferred[0]) == "mean"
    whole, _ = run("task_finetune_cifar10", "scenes", **QUICK, load_path=str(captioning))
    assert pooling_of(whole.last_checkpoint) == "mean"
    matching, _ = run("task_finetune_cifar10", "scenes", **QUICK, load_modules={"image_encoder": str(pretrained())})
    assert pooling_of(matching.last_checkpoint) == "cls"
    chosen, _ = run("task_finetune_cifar10", "scenes", **QUICK, load_path=str(captioning), image_pooling="max")
    assert pooling_of(chosen.last_checkpoint) == "max"


def test_a_test_pools_as_the_training_did_unless_told_otherwise(run, transferred):
    path, loss = transferred
    _, again = run("task_finetune_cifar10", "scenes", load_path=str(path), test_only=True)
    assert again["cifar10/test/loss"] == pytest.approx(loss, rel=1e-6)
    for pooling in ("cls", "max"):
        _, other = run("task_finetune_cifar10", "scenes", load_path=str(path), test_only=True, image_pooling=pooling)
        assert other["cifar10/test/loss"] != pytest.approx(loss, rel=1e-3)


def test_a_checkpoint_from_before_the_setting_pools_as_it_did(run, transferred, tmp_path):
    content = torch.load(transferred[0], weights_only=True)
    del content["renaissance"]["settings"]["image_pooling"]
    torch.save(content, tmp_path / "old.ckpt")
    folder, _ = run("task_finetune_cifar10", "scenes", **QUICK, load_path=str(tmp_path / "old.ckpt"))
    assert pooling_of(folder.last_checkpoint) == "cls"


def test_resuming_with_another_pooling_is_refused(run, transferred):
    path, _ = transferred
    given = {**QUICK, "max_steps": 2, "resume_from": str(path)}
    with pytest.raises(UserError, match="image_pooling: 'cls', the run has 'mean'"):
        run("task_finetune_cifar10", "scenes", **given, image_pooling="cls")
    folder, _ = run("task_finetune_cifar10", "scenes", **given)
    assert pooling_of(folder.last_checkpoint) == "mean"


def test_an_export_says_what_its_folder_cannot_hold(transferred, tmp_path, capsys):
    path, _ = transferred
    settings = check_settings(
        {**ex.configurations[0](), "load_path": str(path), "export_dir": str(tmp_path / "exported")}, "export"
    )
    restored = restore(read_checkpoint(path))
    assert (restored.model.image_pooling, restored.settings.image_pooling) == ("mean", "mean")
    export_encoders(settings)
    assert "image_encoder: image_pooling=mean is not in the folder" in capsys.readouterr().out
