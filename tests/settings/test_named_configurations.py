"""The named configurations hold what is documented, and compose in any sensible order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from sacred.initialize import create_run

from config import ex
from renaissance.settings import Settings, check_settings
from renaissance.tasks.registry import task_names

PRETRAINING = ("task_mlm", "task_itm", "task_mlm_itm", "task_contrastive", "task_albef", "task_clip_lit")
DOWNSTREAM = ("snli", "nlvr2", "ref", "vqa", "irtr", "mrpc")
TASKS = (
    *PRETRAINING,
    "task_finetune_cifar10",
    "task_finetune_imdb",
    *(f"task_finetune_{task}" for task in DOWNSTREAM),
)
MODELS = (
    "deit_electra",
    "vit_bert",
    "dino_minilm",
    "beit_roberta",
    "swin_electra",
    "onetower_electra",
    "onetower_deit",
)
MODIFIERS = (
    "random_init",
    "random_init_text",
    "random_init_vision",
    "freeze_image",
    "freeze_text",
    "imagenet_randaug",
    "clip_randaug",
)
STEPS = ("step25k", "step50k", "step100k", "step200k")


def configuration(*named: str, **updates: Any) -> dict[str, Any]:
    config: dict[str, Any] = create_run(ex, "print_named_configs", updates, named).config
    return config


def settings(*named: str, **updates: Any) -> Settings:
    return check_settings(configuration(*named, **updates), "train")


def test_the_documented_configuration_to_the_letter() -> None:
    documented = {
        "exp_name": "mlm_itm_deit_electra",
        "datasets": ["coco", "vg"],
        "batch_size": 176,
        "per_gpu_batchsize": 44,
        "max_epoch": None,
        "max_steps": 50000,
        "warmup_steps": 0.1,
        "whole_word_masking": True,
        "model_type": "two-tower",
        "freeze_image_encoder": False,
        "freeze_text_encoder": False,
        "image_encoder": "facebook/deit-tiny-patch16-224",
        "train_transform_keys": ["imagenet"],
        "val_transform_keys": ["imagenet"],
        "image_size": 224,
        "patch_size": 16,
        "draw_false_image": 1,
        "image_only": False,
        "text_encoder": "google/electra-small-discriminator",
        "max_text_len": 50,
        "mlm_prob": 0.15,
        "draw_false_text": 0,
        "cross_layer_hidden_size": 256,
        "num_cross_layers": 6,
        "num_cross_layer_heads": 4,
        "cross_layer_mlp_ratio": 4,
        "cross_layer_drop_rate": 0.1,
        "learning_rate": 1e-5,
        "val_check_interval": 1.0,
        "lr_mult_head": 5,
        "lr_mult_cross_modal": 5,
    }
    weights = {**dict.fromkeys(task_names(), 0), "itm": 1, "mlm": 1}
    assert ex.named_configs["task_mlm_itm_deit_electra"]() == {**documented, "loss_names": weights}
    found = configuration("task_mlm_itm_deit_electra")
    assert {name: found[name] for name in documented} == documented
    assert found["loss_names"] == weights


def test_the_run_of_document_004() -> None:
    documented = {
        "clip_model": "openai/clip-vit-base-patch32", "datasets": ["pokemon"], "batch_size": 16, "max_epoch": 100,
        "max_steps": 1_000_000, "contrastive_drop_rate": 0.2, "precision": 32, "freeze_image_encoder": True,
        "optim_type": "adam", "learning_rate": 4e-4, "weight_decay": 0.2, "adam_betas": [0.9, 0.98],
        "adam_epsilon": 1e-6, "schedule": "cosine", "early_stopping_patience": 5, "early_stopping_min_delta": 0.01,
        "monitor": "contrastive/val/loss",
    }  # fmt: skip
    found = configuration("task_clip_pokemon")
    assert {name: found[name] for name in documented} == documented


def test_the_documented_defaults() -> None:
    """Those of document 003 and of the issue's changes to it."""
    documented = {
        "model_type": "two-tower", "encoder": "google/electra-small-discriminator", "pooler_type": "double",
        "text_encoder": "google/electra-small-discriminator", "image_encoder": "facebook/deit-tiny-patch16-224",
        "cross_layer_hidden_size": 256, "num_cross_layers": 6, "num_cross_layer_heads": 4, "cross_layer_mlp_ratio": 4,
        "cross_layer_drop_rate": 0.1, "random_init_vision_encoder": False, "random_init_text_encoder": False,
        "image_size": 224, "max_text_len": 40, "mlm_prob": 0.15, "draw_false_image": 1, "draw_false_text": 0,
        "optim_type": "adamw", "learning_rate": 1e-5, "weight_decay": 0.01, "decay_power": 1, "max_epoch": 100,
        "max_steps": 100000, "warmup_steps": 10000, "end_lr": 0, "lr_mult_head": 5, "lr_mult_cross_modal": 5,
        "seed": 0, "batch_size": 256, "per_gpu_batchsize": 64, "eval_batch_size": 32, "load_path": "",
        "resume_from": None, "log_dir": "result", "num_gpus": "auto", "num_nodes": 1, "precision": 32,
        "patch_size": None, "vocab_size": None, "original_image_size": None, "gradient_clip_val": None,
    }  # fmt: skip
    found = configuration()
    assert {name: found[name] for name in documented} == documented
    assert set(found) == set(Settings.model_fields)


@pytest.mark.parametrize(
    "name", [name for name in ex.named_configs if name.startswith("task_") or name == "quickstart"]
)
def test_every_task_configuration_can_be_trained(name: str) -> None:
    assert settings(name).active_tasks()


def test_all_named_configurations_are_described_and_tried() -> None:
    others = (
        "quickstart",
        "task_clip_pokemon",
        "task_clip_scenes",
        "task_foundation_captioning",
        "task_mlm_itm_deit_electra",
        "tiny",
        "scenes",
        "scenes_finetuning",
        "coco",
        "coco_vg",
    )
    assert set(ex.named_configs) == {*TASKS, *MODELS, *MODIFIERS, *STEPS, *others}
    assert all(scope.__doc__ for scope in ex.named_configs.values())


@pytest.mark.parametrize(
    ("first", "second"), [(TASKS, MODELS), (TASKS, MODIFIERS), (MODELS, MODIFIERS), (PRETRAINING, STEPS)]
)
def test_tasks_models_and_modifiers_compose_in_any_order(first: Sequence[str], second: Sequence[str]) -> None:
    for one, other in itertools.product(first, second):
        found = configuration(one, other)
        assert found == configuration(other, one), (one, other)
        for part in (one, other):
            assert found.items() >= ex.named_configs[part]().items(), f"{part} is undone by {one} {other}"
        if one in TASKS:
            check_settings(found, "train")


def test_a_whole_sentence() -> None:
    found = settings("task_mlm_itm", "dino_minilm", "imagenet_randaug", "freeze_image", "step25k", "coco")
    assert found.active_tasks() == ["itm", "mlm"]
    assert (found.image_encoder, found.text_encoder) == ("facebook/dino-vits16", "nreimers/MiniLM-L6-H384-uncased")
    assert (found.train_transform_keys, found.val_transform_keys) == (["imagenet_randaug"], ["imagenet"])
    assert (found.freeze_image_encoder, found.freeze_text_encoder) == (True, False)
    assert (found.max_steps, found.max_epoch, found.warmup_steps, found.datasets) == (25000, None, 0.1, ["coco"])


def test_data_and_size_come_after_the_task() -> None:
    found = settings("task_finetune_cifar10", "onetower_deit", "tiny", "scenes")
    assert (found.datasets, found.model_type, found.hidden_size) == (["scenes"], "one-tower", 64)
    assert found.active_tasks() == ["cifar10"]


@pytest.mark.parametrize("task", DOWNSTREAM)
def test_a_downstream_task_is_tried_on_the_scenes(task: str) -> None:
    found = settings(f"task_finetune_{task}", "scenes", "tiny")
    assert (found.datasets, found.image_size, found.batch_size) == (["scenes"], 64, 16)
    assert (found.active_tasks(), found.exp_name) == ([task], f"finetune_{task}")


def test_the_command_line_has_the_last_word() -> None:
    found = settings("quickstart", batch_size=8, **{"loss_names.itm": 0, "image_size": 32})
    assert (found.batch_size, found.image_size, found.active_tasks()) == (8, 32, ["mlm"])
    assert found.exp_name == "quickstart"


def test_of_two_tasks_the_later_holds() -> None:
    assert settings("task_mlm_itm", "task_itm").active_tasks() == ["itm"]


def test_docstrings_are_no_settings() -> None:
    assert "__doc__" not in configuration("task_mlm_itm", "deit_electra", "freeze_image")


def test_fine_tuning_warms_up_for_a_tenth() -> None:
    assert all(settings(name).warmup_steps == 0.1 for name in ("task_finetune_cifar10", "task_finetune_imdb"))


@pytest.mark.parametrize("task", DOWNSTREAM)
def test_scenes_finetuning_makes_a_downstream_task_a_matter_of_minutes(task: str) -> None:
    found = settings(f"task_finetune_{task}", "scenes_finetuning")
    assert found.active_tasks() == [task]
    assert (found.datasets, found.max_epoch, found.max_steps) == (["scenes"], None, 1000)
    assert (found.image_size, found.max_text_len, found.batch_size) == (48, 48, 32)
