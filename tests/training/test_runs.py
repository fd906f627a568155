"""Whole runs on small scenes: what they leave, how they resume, what fine-tuning brings along."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
import torch
from PIL import Image

from renaissance.errors import Interrupted, UserError
from renaissance.tracking.run_folder import RunFolder
from tests.training.interrupting import run_whole_and_broken, stop_at

QUICK = {"max_steps": 4, "warmup_steps": 0, "learning_rate": 1e-3, "log_interval": 2}
MODELS = [(), ("onetower_electra",), ("onetower_deit",)]


def rows(folder: RunFolder) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in csv.DictReader(folder.metrics.open(newline=""))]


def test_a_run_leaves_what_the_contract_says(run, capsys):
    run.draws = True
    folder, final = run("task_mlm_itm", "scenes", "tiny", **QUICK, val_check_interval=3)
    assert capsys.readouterr().out.splitlines()[-1] == f"run: {folder.path}"
    config = json.loads(folder.config.read_text())
    assert config["max_steps"] == 4
    assert config["text_encoder_hidden_size"] == 64
    assert json.loads(folder.command.read_text())["command"] == ["run.py", "task_mlm_itm", "scenes", "tiny"]
    summary = json.loads(folder.summary.read_text())
    assert summary["status"] == "finished"
    assert summary["final"] == pytest.approx(final)
    expected = {f"{task}/{split}/{metric}" for task in ("mlm", "itm") for split in ("train", "val", "test")
                for metric in ("loss", "accuracy")}  # fmt: skip
    assert set(final) == expected
    assert {"wall_seconds", "examples_per_second", "peak_memory_bytes", "parameters", "examples"} <= set(summary)
    validations = [int(row[0]) for row in rows(folder) if row[2] == "mlm/val/loss"]
    assert validations == [3, 4], "every third step, and always at the end"
    assert {path.name for path in folder.plots.iterdir()} == {
        *(f"{task}_{metric}.png" for task in ("mlm", "itm") for metric in ("loss", "accuracy")),
        *(f"pace_{name}.png" for name in ("learning_rate", "gradient_norm", "examples_per_second")),
    }
    assert all(Image.open(path).width > 900 for path in folder.plots.iterdir()), "drawn, and not blank"
    assert json.loads((folder.path / "chance.json").read_text()) == {"itm/val/accuracy": 0.5, "itm/test/accuracy": 0.5}
    last = torch.load(folder.last_checkpoint, weights_only=True)
    assert last["global_step"] == 4
    assert folder.best_checkpoint.is_file()
    assert not list(folder.path.rglob(".*")), "no temporary file is left"


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_and_resumed_run_has_the_curve_of_an_uninterrupted_one(run, workers):
    # 9 steps of two batches: interrupted within an epoch, between two points of the curve, after a validation
    settings = {**QUICK, "max_steps": 9, "log_interval": 4, "val_check_interval": 3, "batch_size": 32,
                "cross_layer_drop_rate": 0.2, "schedule": "cosine", "warmup_steps": 2}  # fmt: skip
    stop, others = stop_at(4, "itm/train/loss"), {"num_workers": workers}
    named = ("task_mlm_itm", "scenes", "tiny")
    whole, broken = run_whole_and_broken(run, *named, stop=stop, resumed_with=others, **settings)
    assert broken.path.name == "1", "it goes on in its own folder"
    assert broken.finished
    assert rows(broken) == rows(whole)


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not(run):
    curves = [rows(run("task_mlm_itm", "scenes", "tiny", **QUICK, seed=seed)[0]) for seed in (1, 1, 2)]
    assert curves[0] == curves[1] != curves[2]


def test_resuming_a_finished_run_trains_longer_in_a_new_folder(run):
    first, _ = run("task_itm", "scenes", "tiny", **QUICK)
    longer = {**QUICK, "max_steps": 6}
    second, _ = run("task_itm", "scenes", "tiny", **longer, resume_from=str(first.last_checkpoint))
    assert second.path.name == "2"
    assert [int(row[0]) for row in rows(second) if row[2] == "itm/train/loss"] == [6]


def test_resume_auto_without_an_unfinished_run_starts_a_new_one_and_says_so(run, capsys):
    folder, _ = run("task_itm", "scenes", "tiny", **QUICK, resume_from="auto")
    assert folder.path.name == "1"
    assert "no unfinished run" in capsys.readouterr().out


@pytest.mark.parametrize("model", MODELS, ids=lambda model: " ".join(model) or "two-tower")
@pytest.mark.parametrize("task", ["cifar10", "imdb"])
def test_a_pretrained_encoder_is_fine_tuned_and_tested(run, pretrained, model, task, capsys):
    checkpoint = pretrained(*model)
    # No architecture, no vocabulary and no sizes are given: the checkpoint brings them.
    folder, final = run(
        f"task_finetune_{task}", "scenes", **QUICK, batch_size=16, per_gpu_batchsize=16, load_path=str(checkpoint)
    )
    said = capsys.readouterr().out
    assert "unused" in said
    tower = {"cifar10": "image_encoder", "imdb": "text_encoder"}[task] if not model else "encoder"
    trained = torch.load(folder.best_checkpoint, weights_only=True)["state_dict"]
    assert any(name.startswith(f"model.{tower}.") for name in trained)
    if not model:
        other = {"cifar10": "text_encoder", "imdb": "image_encoder"}[task]
        assert not any(name.startswith(f"model.{other}.") for name in trained), "a side that is not used is not built"
        before = torch.load(checkpoint, weights_only=True)["state_dict"]
        name = next(name for name in trained if name.startswith(f"model.{tower}.") and "layer" in name)
        assert torch.allclose(trained[name], before[name], atol=0.1)
    tested, metrics = run(
        f"task_finetune_{task}", "scenes", test_only=True, load_path=str(folder.best_checkpoint), exp_name="tested"
    )
    assert metrics == pytest.approx({name: value for name, value in final.items() if "/test/" in name})
    assert not tested.last_checkpoint.exists()


def test_a_checkpoint_loads_after_it_was_moved(run, pretrained, tmp_path):
    moved = tmp_path / "elsewhere" / "renamed.ckpt"
    moved.parent.mkdir()
    shutil.copy(pretrained(), moved)
    _, final = run("task_mlm_itm", "scenes", test_only=True, load_path=str(moved))
    assert 0 < final["mlm/test/loss"] < 10


def test_a_setting_that_contradicts_the_checkpoint_is_an_error(run, pretrained):
    with pytest.raises(UserError, match="cross_layer_hidden_size: 32 was asked for, the checkpoint has 64"):
        run("task_mlm_itm", "scenes", load_path=str(pretrained()), cross_layer_hidden_size=32, max_steps=1)


def test_what_a_checkpoint_left_at_none_is_said_as_what_it_came_to(run, pretrained):
    entries = len(json.loads(pretrained().parents[1].joinpath("vocabulary.json").read_text()))
    with pytest.raises(UserError) as refused:
        run("task_mlm_itm", "scenes", load_path=str(pretrained()), vocab_size=10, tokenizer="bert-base-uncased")
    assert f"vocab_size: 10 was asked for, the checkpoint has {entries} (its run left vocab_size at None)" in str(
        refused.value
    )
    assert f"the checkpoint has None, its vocabulary has {entries} entries" in str(refused.value)
    run("task_mlm_itm", "scenes", load_path=str(pretrained()), vocab_size=entries, batch_size=8, per_gpu_batchsize=8,
        max_steps=1, fast_dev_run=True)  # fmt: skip


def test_another_image_size_and_text_length_resize_positions(run, pretrained, capsys):
    run("task_mlm_itm", "scenes", **{**QUICK, "max_steps": 1}, load_path=str(pretrained()), image_size=96,
        max_text_len=60, batch_size=8, per_gpu_batchsize=8)  # fmt: skip
    assert "resized model.image_encoder" in capsys.readouterr().out


def test_fast_dev_run_does_one_step_of_everything(run):
    folder, final = run("task_mlm_itm", "scenes", "tiny", fast_dev_run=True)
    assert torch.load(folder.last_checkpoint, weights_only=True)["global_step"] == 1
    assert {name.split("/")[1] for name in final} == {"train", "val", "test"}


def test_frozen_parts_stay_as_they_were(run, pretrained):
    folder, _ = run(
        "task_mlm_itm", "scenes", "freeze_image", **QUICK, batch_size=16, load_path=str(pretrained()),
        freeze_text_encoder=True,
    )  # fmt: skip
    before = torch.load(pretrained(), weights_only=True)["state_dict"]
    after = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    changed = {name.split(".")[1] for name in before if not torch.equal(before[name], after[name])}
    assert "fuser" in changed
    assert not changed & {"image_encoder", "text_encoder"}


def test_frozen_lowest_layers_stay_as_they_were(run, pretrained):
    folder, _ = run(
        "task_mlm_itm", "scenes", **QUICK, batch_size=16, load_path=str(pretrained()), freeze_text_encoder_layers=1,
    )  # fmt: skip
    before = torch.load(pretrained(), weights_only=True)["state_dict"]
    after = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    text = [name for name in before if ".text_encoder." in name]
    changed = {name for name in text if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".layer.1." in name for name in changed)
    parameters = json.loads(folder.summary.read_text())["parameters"]
    kept = sum(before[name].numel() for name in text if ".layer.1." not in name)
    assert parameters["total"] - parameters["trained"] == kept


def test_more_gpus_than_there_are_is_an_error_that_says_how_many_there_are(run):
    with pytest.raises(UserError, match=f"num_gpus=99, but {torch.cuda.device_count()} GPU"):
        run("task_mlm", "scenes", "tiny", num_gpus=99)


@pytest.mark.parametrize(
    "modifiers",
    [
        ("imagenet_randaug",),
        {"itm_false_from": "dataset", "draw_false_text": 1},
        {"precision": "bf16-mixed", "gradient_clip_val": 1.0},
        {"optim_type": "sgd"},
        {"tensorboard": True},
    ],
    ids=str,
)
def test_variants_run(run, modifiers):
    named, overrides = (modifiers, {}) if isinstance(modifiers, tuple) else ((), modifiers)
    folder, final = run("task_mlm_itm", "scenes", "tiny", *named, **QUICK, **overrides)
    assert final["mlm/test/loss"] < 10
    assert folder.tensorboard.is_dir() == bool(overrides.get("tensorboard"))


@pytest.mark.parametrize("last_step", [4, 6], ids=["at the end", "on the way"])
def test_a_validation_that_was_interrupted_is_made_up_for(run, last_step):
    # The point of the training curve at step 4 comes just before the validation of step 4.
    settings = {**QUICK, "max_steps": last_step, "log_interval": 4, "val_check_interval": 2, "eval_batch_size": 4}
    whole, _ = run("task_mlm_itm", "scenes", "tiny", **settings, exp_name="whole")
    with pytest.raises(Interrupted):
        run("task_mlm_itm", "scenes", "tiny", **settings, exp_name="broken", log_scalar=stop_at(4, "mlm/train/loss"))
    assert not any(row[0] == "4" and "/val/" in row[2] for row in rows(RunFolder(run.log_dir / "broken" / "1")))
    broken, _ = run("task_mlm_itm", "scenes", "tiny", **settings, exp_name="broken", resume_from="auto")
    assert rows(broken) == rows(whole)
    best = [torch.load(folder.best_checkpoint, weights_only=True)["global_step"] for folder in (whole, broken)]
    assert best[0] == best[1]


def test_resuming_with_nothing_left_to_train_validates_and_says_so(run, capsys):
    first, _ = run("task_itm", "scenes", "tiny", **QUICK)
    second, final = run("task_itm", "scenes", "tiny", **QUICK, resume_from=str(first.last_checkpoint))
    assert "nothing left to train" in capsys.readouterr().out
    assert {name.split("/")[1] for name in final} == {"val", "test"}
    assert second.last_checkpoint.is_file()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 5}, "seed: 5"),
        ({"optim_type": "sgd"}, "optim_type: 'sgd'"),
        ({"freeze_image_encoder": True}, "freeze_image_encoder: True"),
        ({"image_size": 48}, "image_size: 48"),
        ({"mlm_prob": 0.3}, "mlm_prob: 0.3"),
        ({"text_modality_dropout": 0.1}, "text_modality_dropout: 0.1"),
        ({"batch_size": 32}, "batch_size: 32, the run has 16"),
        ({"per_gpu_batchsize": 8, "batch_size": 8}, r"per_gpu_batchsize: 8, the run has 16\n  batch_size: 8"),
    ],
    ids=str,
)
def test_resuming_with_settings_that_do_not_fit_is_one_message(run, pretrained, change, named):
    last = pretrained().with_name("last.ckpt")
    with pytest.raises(UserError, match=f"cannot be resumed(.|\n)*{named}"):
        run("task_mlm_itm", "scenes", "tiny", max_steps=9, warmup_steps=0, resume_from=str(last), **change)


@pytest.mark.parametrize("task", ["imdb", "cifar10"])
def test_a_test_of_a_task_that_was_not_trained_is_refused(run, pretrained, task):
    with pytest.raises(UserError, match=f"was not trained on {task}.*it was trained on itm, mlm"):
        run(f"task_finetune_{task}", "scenes", test_only=True, load_path=str(pretrained()))


def test_a_log_dir_that_cannot_be_written_is_named(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="log_dir="):
        run("task_itm", "scenes", "tiny", **QUICK, log_dir=str(tmp_path / "file"))
