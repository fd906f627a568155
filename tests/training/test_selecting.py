"""Weights of data sets and of captions in whole runs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from renaissance.data.preparing.prepare import prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.errors import UserError
from renaissance.training.module import TrainingModule
from tests.training.interrupting import run_whole_and_broken, stop_at

QUICK = {"warmup_steps": 0, "learning_rate": 1e-3, "log_interval": 2, "num_samples": 0, "batch_size": 16,
         "per_gpu_batchsize": 8}  # fmt: skip
NAMED = ("task_mlm", "scenes", "tiny")
WEIGHTS = {"datasets": ["scenes", "retold"], "dataset_weights": {"retold": 0.5}}
CAPTIONS = {"caption_weights": {"caption": 0.7, "synthetic": 0.3}}


@pytest.fixture
def root(run, make_settings, tmp_path: Path) -> Path:
    """The scenes, 100 with two captions each for training, and 40 of them again whose second one is synthetic."""
    settings = make_settings(data_root=str(tmp_path / "data"), num_scenes=120)
    prepare_data_set(data_sets()["scenes"], settings, processes=1, schemas=("caption",))
    table = pa.ipc.open_file(str(tmp_path / "data" / "scenes_train.arrow")).read_all().slice(0, 40)
    sources = pa.array([["caption", "synthetic"]] * 40)
    table = table.append_column("caption_source", sources).replace_schema_metadata(None)
    with pa.ipc.new_file(str(tmp_path / "data" / "retold_train.arrow"), table.schema) as writer:
        writer.write_table(table)
    run.data_root = tmp_path / "data"
    return run.data_root


@pytest.fixture
def seen(monkeypatch) -> list[int]:
    """The training examples in their order."""
    examples: list[int] = []
    step = TrainingModule.training_step

    def noting(self, batch, batch_idx):
        examples.extend(batch.index.tolist())
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", noting)
    return examples


def test_an_epoch_takes_the_shares_and_the_run_says_so(run, root, seen, capsys):
    folder, _ = run(*NAMED, **{**QUICK, "batch_size": 8}, **WEIGHTS, max_epoch=1)
    assert len(seen) == len(set(seen)) == 240
    assert sum(example >= 200 for example in seen) == 40
    line = "an epoch takes 200 of 200 examples of scenes (83.3%), 40 of 80 examples of retold (16.7%)"
    assert line in capsys.readouterr().out
    summary = json.loads(folder.summary.read_text())
    assert summary["examples_an_epoch"] == {"scenes": 200, "retold": 40}
    assert summary["examples"]["train"] == 280


def test_one_caption_an_image_is_drawn_anew_each_epoch(run, root, seen, capsys):
    run(*NAMED, **{**QUICK, "batch_size": 4, "per_gpu_batchsize": 4}, **WEIGHTS, **CAPTIONS, max_epoch=2)
    out = capsys.readouterr().out
    assert "100 of 100 images of scenes (83.3%), 20 of 40 images of retold (16.7%); of each image one caption" in out
    assert "drawn by caption 0.7, synthetic 0.3" in out
    epochs = seen[:120], seen[120:]
    for epoch in epochs:
        assert sorted(Counter(example // 2 for example in epoch).values()) == [1] * 120
    assert sorted(epochs[0]) != sorted(epochs[1])
    assert len([example for epoch in epochs for example in epoch if example >= 200 and example % 2]) < 25  # of 40, 12


def test_an_interrupted_and_resumed_run_equals_one_that_ran_through(run, root):
    """The rest of it with workers."""
    settings = {**QUICK, **WEIGHTS, **CAPTIONS, "max_steps": 12, "val_check_interval": 4, "cross_layer_drop_rate": 0.2}
    stop = stop_at(8, "mlm/train/loss")  # in the second epoch, of seven steps
    whole, broken = run_whole_and_broken(run, *NAMED, stop=stop, resumed_with={"num_workers": 2}, **settings)
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    weights = [torch.load(one.last_checkpoint, weights_only=True)["state_dict"] for one in (whole, broken)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_equal_weights_are_a_run_without(run, root):
    settings = {**QUICK, "datasets": ["scenes", "retold"], "max_steps": 2}
    plain, _ = run(*NAMED, **settings)
    equal, _ = run(*NAMED, **settings, dataset_weights={"scenes": 2, "retold": 2})
    assert plain.metrics.read_bytes() == equal.metrics.read_bytes()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"synthetic": 1},
            r"leaves 100 images without a caption that could be drawn; the first is .*scenes_train.arrow",
        ),
        ({"caption": 1, "alt": 1}, r"caption_weights names alt, and the captions .* come from caption, synthetic"),
    ],
)
def test_captions_that_cannot_be_drawn_are_refused(run, root, weights, message):
    with pytest.raises(UserError, match=message):
        run(*NAMED, **QUICK, datasets=["scenes", "retold"], caption_weights=weights, max_steps=1)


def test_weights_of_captions_where_none_are_read_are_refused(run):
    with pytest.raises(UserError, match="caption_weights draws captions of images, and cifar10 reads none"):
        run("task_finetune_cifar10", "scenes", "tiny", **QUICK, caption_weights={"caption": 1}, max_steps=1)


def test_a_weight_that_would_overflow_is_refused(run):
    with pytest.raises(UserError, match=r"caption_weights.*numbers above 0, at most 1,000,000, by source"):
        run(*NAMED, **QUICK, caption_weights={"caption": 1e308}, max_steps=1)


def test_a_weight_of_a_data_set_that_is_not_there_is_refused(run):
    with pytest.raises(UserError, match="dataset_weights names vg, and datasets are scenes"):
        run(*NAMED, **QUICK, dataset_weights={"vg": 1}, max_steps=1)
