"""Text encoders built from scratch, from the command line to a test of their checkpoint."""

from __future__ import annotations

import pytest
import torch

from renaissance.errors import Interrupted, UserError
from tests.training.interrupting import stop_at

QUICK = {"max_steps": 2, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8, "exp_name": "architectures"}
SMALL = {"text_encoder_hidden_size": 16, "text_encoder_num_heads": 2, "text_encoder_num_layers": 1,
         "text_encoder_embedding_size": 16}  # fmt: skip
LONGFORMER = {"attention_window": 8, "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2}
ARCHITECTURES = {
    "transformer": {"text_encoder": "transformer", "text_encoder_window_size": 8, **SMALL},
    "longformer": {"text_encoder": "longformer", "text_encoder_config": LONGFORMER},
}


def entry(path):
    return torch.load(path, weights_only=True)["renaissance"]


def values(folder, name):
    lines = folder.metrics.read_text().splitlines()
    return [float(line.split(",")[3]) for line in lines[1:] if line.split(",")[2] == name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_trains_and_is_tested_from_its_checkpoint_alone(run, name):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **ARCHITECTURES[name], text_pooling="max")
    again, _ = run("task_finetune_imdb", "scenes", load_path=str(folder.best_checkpoint), test_only=True)
    assert values(again, "imdb/test/loss") == pytest.approx(values(folder, "imdb/test/loss"))
    settings = entry(folder.last_checkpoint)["settings"]
    assert settings["text_pooling"] == "max"


def test_window_may_change_under_the_same_weights(run):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **ARCHITECTURES["transformer"])
    path = str(folder.last_checkpoint)
    frozen = {**QUICK, "freeze_text_encoder": True}
    wider, _ = run("task_finetune_imdb", "scenes", **frozen, load_path=path, text_encoder_window_size=None)
    same, _ = run("task_finetune_imdb", "scenes", **frozen, load_path=path)
    configs = [entry(run.last_checkpoint)["encoder_configs"]["text_encoder"] for run in (wider, same)]
    assert [config["window_size"] for config in configs] == [None, 8]
    with pytest.raises(UserError, match="text_encoder_num_layers: 3 was asked for"):
        run("task_finetune_imdb", "scenes", **QUICK, load_path=path, text_encoder_num_layers=3)


def test_flags_may_change_where_loading_is_not_strict(run):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **ARCHITECTURES["longformer"])
    wider = {**LONGFORMER, "intermediate_size": 24}
    options = {**QUICK, "load_path": str(folder.last_checkpoint), "text_encoder_config": wider}
    with pytest.raises(UserError, match="text_encoder_config: "):
        run("task_finetune_imdb", "scenes", **options)
    again, _ = run("task_finetune_imdb", "scenes", **options, strict_loading=False)
    assert entry(again.last_checkpoint)["encoder_configs"]["text_encoder"]["intermediate_size"] == 24


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"freeze_text_encoder": [True, False, False]}, "freeze_text_encoder is a list of 3, and text_encoder names 1"),
        ({"text_encoder_window_size": 4}, "text_encoder_window_size=4 is transformer's, and text_encoder='longformer'"),
        ({"text_encoder": "transformer"}, "text_encoder_config is for the flags of other architectures"),
    ],
    ids=str,
)
def test_what_no_encoder_of_the_checkpoint_reads_is_refused(run, change, fault):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **ARCHITECTURES["longformer"])
    options = {**QUICK, "load_path": str(folder.last_checkpoint), "text_encoder_config": LONGFORMER}
    with pytest.raises(UserError, match=fault):
        run("task_finetune_imdb", "scenes", **options, strict_loading=False, **change)


def test_part_of_a_longformer_goes_into_another_run(run):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **ARCHITECTURES["longformer"])
    again, _ = run("task_finetune_imdb", "scenes", **QUICK, load_modules={"text_encoder": str(folder.last_checkpoint)})
    assert entry(again.last_checkpoint)["encoder_configs"]["text_encoder"]["model_type"] == "longformer"


def test_late_fusion_trains_pairs_and_is_loaded_again(run):
    options = {**QUICK, "model_type": "late-fusion"}
    folder, _ = run("task_itm", "scenes", "tiny", **options)
    parts = {name.split(".")[1] for name in torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]}
    assert parts >= {"text_encoder", "image_encoder", "pair_pooler"}
    again, _ = run("task_itm", "scenes", load_path=str(folder.best_checkpoint), test_only=True)
    assert values(again, "itm/test/loss") == pytest.approx(values(folder, "itm/test/loss"))
    words, _ = run("task_finetune_imdb", "scenes", **QUICK, load_path=str(folder.best_checkpoint))
    assert entry(words.last_checkpoint)["settings"]["model_type"] == "late-fusion"
    with pytest.raises(UserError, match="no word sees the image"):
        run("task_mlm_itm", "scenes", "tiny", **options)


SEVERAL = {"text_encoder": ["transformer", "longformer"], "text_encoder_config": [None, LONGFORMER], **SMALL}


def test_several_encoders_train_and_are_loaded_again(run):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **SEVERAL)
    again, _ = run("task_finetune_imdb", "scenes", load_path=str(folder.best_checkpoint), test_only=True)
    assert values(again, "imdb/test/loss") == pytest.approx(values(folder, "imdb/test/loss"))
    assert set(entry(folder.last_checkpoint)["encoder_configs"]) == {"text_encoder_1", "text_encoder_2"}


def test_several_are_resumed_with_one_value_for_the_list_of_it(run):
    settings = {**QUICK, **SEVERAL, "max_steps": 4}
    with pytest.raises(Interrupted):
        run("task_finetune_imdb", "scenes", **settings, log_scalar=stop_at(1, "imdb/train/loss"), log_interval=1)
    with pytest.raises(UserError, match=r"cannot be resumed(.|\n)*freeze_text_encoder: \[False, True\]"):
        run("task_finetune_imdb", "scenes", **settings, resume_from="auto", freeze_text_encoder=[False, True])
    same = {"freeze_text_encoder": [False, False], "freeze_text_encoder_layers": [0, 0]}
    folder, _ = run("task_finetune_imdb", "scenes", **settings, resume_from="auto", **same)
    assert entry(folder.last_checkpoint)["settings"]["freeze_text_encoder"] is False, "as the run began"


def test_one_of_several_encoders_is_loaded(run):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **SEVERAL)
    options = {**QUICK, "load_modules": {"text_encoder_2": str(folder.last_checkpoint)}}
    again, _ = run("task_finetune_imdb", "scenes", **options, freeze_text_encoder=[False, True])
    before, after = (torch.load(run.last_checkpoint, weights_only=True)["state_dict"] for run in (folder, again))
    same = {name: torch.equal(before[name], after[name]) for name in after}
    assert all(equal for name, equal in same.items() if ".text_encoder_2." in name)
    assert not all(equal for name, equal in same.items() if ".text_encoder_1." in name)
