"""Captioning runs: what they leave, how they resume, and what of them goes into other models."""

from __future__ import annotations

import csv
import json
import shutil

import pyarrow as pa
import pytest
import torch
from PIL import Image

from renaissance.errors import UserError
from renaissance.tracking.run_folder import RunFolder
from tests.training.interrupting import run_whole_and_broken, stop_at

QUICK = {"max_steps": 4, "max_epoch": None, "warmup_steps": 0, "log_interval": 2, "batch_size": 16,
         "per_gpu_batchsize": 16, "caption_metric_images": 6, "num_samples": 3, "sample_interval": None,
         "val_check_interval": 4}  # fmt: skip
METRICS = ["accuracy", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "cider_d", "loss", "perplexity", "rouge_l"]


def files(folder: RunFolder) -> dict[str, bytes]:
    """What of a run must not depend on how it came to be."""
    return {path.name: path.read_bytes() for path in (folder.metrics, *sorted(folder.samples.iterdir()))}


@pytest.fixture
def dog(tmp_path):
    """A user's image."""
    path = tmp_path / "dog.png"
    Image.new("RGBA", (70, 30), "brown").save(path)
    return path


def test_a_run_leaves_metrics_and_sheets(run, dog):
    manual = [{"image": str(dog), "prefix": "one small"}, {"image": str(dog)}]
    folder, final = run(
        "task_foundation_captioning", "scenes", **{**QUICK, "val_check_interval": 3}, manual_inputs=manual
    )
    assert sorted(name for name in final if "/val/" in name) == [f"caption/val/{metric}" for metric in METRICS]
    assert sorted(name for name in final if "/test/" in name) == [f"caption/test/{metric}" for metric in METRICS]
    parts = json.loads(folder.summary.read_text())["parameters"]
    assert list(parts) == ["text_encoder", "image_encoder", "decoder", "total", "trained"]
    sheets = [f"{name}.{kind}" for name in ("step_3", "step_4", "test") for kind in ("csv", "png")]
    assert sorted(path.name for path in folder.samples.iterdir()) == sheets
    rows = list(csv.DictReader((folder.samples / "step_4.csv").open(encoding="utf-8")))
    assert len({row["source"] for row in rows}) == 4, "three validation images and one of the user's"
    assert all(row["reference"] for row in rows if "scenes" in row["source"])
    assert [row["prefix"] for row in rows if row["source"] == str(dog)] == ["one small", ""]
    assert next(row for row in rows if row["prefix"])["generated"].startswith("one small")


def test_sheets_come_every_sample_interval_whatever_accumulates(run):
    folder, _ = run(
        "task_foundation_captioning",
        "scenes",
        **{**QUICK, "sample_interval": 2, "batch_size": 32, "max_steps": 5, "caption_metric_images": 0},
    )
    assert {path.stem for path in folder.samples.iterdir()} == {"step_2", "step_4", "test"}


def test_a_trained_model_describes_ones_own_images(run, dog):
    folder, _ = run("task_foundation_captioning", "scenes", **QUICK)
    settings = {"test_only": True, "load_path": str(folder.best_checkpoint), "num_samples": 0}
    tested, _ = run("task_foundation_captioning", "scenes", **settings, manual_inputs=[{"image": str(dog)}])
    rows = list(csv.DictReader((tested.samples / "test.csv").open(encoding="utf-8")))
    assert [row["source"] for row in rows] == [str(dog)]
    assert (tested.samples / "test.png").is_file()


@pytest.mark.parametrize(("interval", "sheets"), [(None, {"step_4"}), (2, {"step_2", "step_4"})])
def test_without_validation_data_the_sheets_show_training_images(run, tmp_path, interval, sheets):
    run("task_foundation_captioning", "scenes", **QUICK)
    (tmp_path / "data").mkdir()
    shutil.copy(run.data_root / "scenes_train.arrow", tmp_path / "data" / "only_train.arrow")
    folder, _ = run(
        "task_foundation_captioning",
        **{**QUICK, "sample_interval": interval},
        datasets=["only"],
        data_root=str(tmp_path / "data"),
    )
    assert {path.stem for path in folder.samples.iterdir()} == sheets
    rows = csv.DictReader((folder.samples / "step_4.csv").open(encoding="utf-8"))
    assert all("only_train" in row["source"] for row in rows)


@pytest.mark.parametrize("strategy", ["greedy", "sample"])
def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(run, strategy):
    settings = {
        **QUICK,
        "max_steps": 6,
        "val_check_interval": 3,
        "generation_strategy": strategy,
        "caption_metric_images": 0 if strategy == "sample" else 6,
        "temperature": 3.0,
        "decoder_drop_rate": 0.1,
    }
    stop = stop_at(4, "caption/train/loss")
    whole, broken = run_whole_and_broken(run, "task_foundation_captioning", "scenes", stop=stop, **settings)
    assert files(broken) == files(whole)


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_manual_input_that_is_no_image_is_refused_before_training(run, tmp_path, content):
    path = tmp_path / "odd.png"
    if content is None:
        whole = tmp_path / "whole.png"
        Image.effect_noise((50, 50), 20).save(whole)
        content = whole.read_bytes()[:900]
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"odd\.png: the image cannot be read"):
        run("task_foundation_captioning", "scenes", **QUICK, manual_inputs=[{"image": str(path), "prefix": ""}])


@pytest.fixture(scope="module")
def captioned(scenes_root, tmp_path_factory):
    """Gives a checkpoint of a few steps of captioning, trained once a kind."""
    from tests.training.conftest import Runner

    known = {}

    def train(*named, **overrides):
        key = (named, tuple(overrides.items()))
        if key not in known:
            runner = Runner(scenes_root, tmp_path_factory.mktemp("captioned"))
            known[key] = runner("task_foundation_captioning", "scenes", *named, **{**QUICK, **overrides})[0]
        return known[key].best_checkpoint

    return train


@pytest.mark.parametrize("prefix", [False, True])
def test_a_captioning_checkpoint_brings_its_decoder_and_tests_as_the_run_did(run, captioned, prefix):
    checkpoint = captioned(decoder_hidden_size=48, decoder_num_layers=1, caption_prefix_encoder=prefix)
    before = json.loads((checkpoint.parent.parent / "summary.json").read_text())["final"]
    # The decoder's width is not repeated here, and a text side is built exactly when the checkpoint has one.
    settings = {"caption_metric_images": 6, "num_samples": 3, "loss_names": {"caption": 1}, "datasets": ["scenes"]}
    _, final = run(load_path=str(checkpoint), test_only=True, exp_name="tested", **settings)
    assert final == pytest.approx({name: value for name, value in before.items() if "/test/" in name})
    with pytest.raises(UserError, match="decoder_hidden_size: 64 was asked for, the checkpoint has 48"):
        run("task_foundation_captioning", load_path=str(checkpoint), decoder_hidden_size=64, datasets=["scenes"])


@pytest.mark.parametrize("task", ["cifar10", "imdb"])
@pytest.mark.parametrize("way", ["load_modules", "load_path"])
def test_an_encoder_of_a_captioning_model_is_fine_tuned(run, captioned, task, way):
    part = {"cifar10": "image_encoder", "imdb": "text_encoder"}[task]
    checkpoint = str(captioned())
    given = {way: {part: checkpoint} if way == "load_modules" else checkpoint}
    folder, final = run(
        f"task_finetune_{task}", "scenes", max_steps=1, warmup_steps=0, batch_size=8, per_gpu_batchsize=8,
        learning_rate=1e-6, **given,
    )  # fmt: skip
    assert f"{task}/test/accuracy" in final
    before = torch.load(checkpoint, weights_only=True)["state_dict"]
    after = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    names = [name for name in after if name.startswith(f"model.{part}.") and "position" not in name]
    assert names
    assert all(torch.allclose(before[name], after[name], atol=1e-4) for name in names)
    assert not any("decoder" in name for name in after)


def test_a_decoder_alone_is_loaded_and_kept_frozen(run, captioned):
    checkpoint = captioned()
    folder, _ = run(
        "task_foundation_captioning", "scenes", **QUICK, load_modules={"decoder": str(checkpoint)}, freeze_decoder=True
    )
    before = torch.load(checkpoint, weights_only=True)["state_dict"]
    after = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    names = [name for name in after if name.startswith("model.decoder.")]
    assert names
    assert all(torch.equal(before[name], after[name]) for name in names)


def test_a_training_of_nothing_is_refused(run, captioned):
    with pytest.raises(UserError, match="Every part of this model is frozen"):
        run(
            "task_foundation_captioning", "scenes", **QUICK, load_path=str(captioned()), freeze_image_encoder=True,
            freeze_text_encoder=True, freeze_decoder=True, freeze_cross_modal=True,
        )  # fmt: skip


def test_captioning_joins_other_tasks_on_one_model(run):
    names = {"caption": 1, "itm": 1}
    _, final = run("task_foundation_captioning", "scenes", "tiny", **{**QUICK, "loss_names": names, "max_steps": 2})
    assert {"caption/test/cider_d", "itm/test/accuracy"} <= set(final)


def shuffled_scenes(root):
    """The scenes with every caption at another image: a table that knows the language and nothing of the pictures."""
    for split in ("train", "val", "test"):
        with pa.memory_map(str(root / f"scenes_{split}.arrow")) as file:
            table = pa.ipc.open_file(file).read_all()
        captions = table["caption"].to_pylist()
        half = len(captions) // 2 if split == "train" else 0  # validated on the true pairs
        moved = pa.chunked_array([pa.array([*captions[half:], *captions[:half]], table["caption"].type)])
        table = table.set_column(table.column_names.index("caption"), "caption", moved)
        path = root / f"shuffled_{split}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [False, True])
def test_captions_come_from_the_pictures(tmp_path, prefix):
    """Trained on true pairs the loss is clearly below that of the same training on captions of other images."""
    from tests.training.conftest import Runner

    runner = Runner(tmp_path / "arrow", tmp_path / "result")
    settings = {"max_steps": 300, "max_epoch": None, "batch_size": 32, "per_gpu_batchsize": 32, "num_scenes": 2000,
                "val_check_interval": 300, "caption_metric_images": 0, "num_samples": 0, "sample_interval": 1000,
                "caption_prefix_encoder": prefix}  # fmt: skip
    _, true = runner("task_foundation_captioning", "scenes", **settings, exp_name="true")
    shuffled_scenes(tmp_path / "arrow")
    _, shuffled = runner("task_foundation_captioning", **settings, datasets=["shuffled"], exp_name="shuffled")
    print(true["caption/val/loss"], shuffled["caption/val/loss"])
    assert true["caption/val/loss"] < 0.8 * shuffled["caption/val/loss"]
