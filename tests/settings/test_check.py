"""What is wrong with a configuration is said in one message: every fault, its setting, and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import EncoderDimensions, Settings, check_inherited, check_settings
from renaissance.settings.text_encoders import text_encoders
from renaissance.settings.wordpieces import lacks_word_pieces
from renaissance.tasks.registry import task_names

MakeSettings = Callable[..., Settings]


def message(command: str | None = None, **overrides: Any) -> str:
    with pytest.raises(UserError) as caught:
        check_settings({**ex.configurations[0](), **overrides}, command)
    return str(caught.value)


def fault(command: str | None = None, **overrides: Any) -> str:
    heading, *lines = message(command, **overrides).splitlines()
    assert heading == "The configuration has a fault:"
    assert len(lines) == 1
    return lines[0].removeprefix("  * ")


def test_all_faults_are_in_one_message() -> None:
    expected = """\
The configuration has 6 faults:
  * learning_rat: there is no such setting; did you mean learning_rate?
  * batch_size='abc': must be a whole number, at least 1
  * learning_rate='1e-4x': must be a number above 0
  * max_epoch='none': must be a whole number, at least 1, or None; did you mean None?
  * image_encoder_manual_configuration=True needs random_init_vision_encoder=True: pretrained weights bring their own \
dimensions
  * num_cross_layer_heads"""
    found = message(
        learning_rat=1,
        batch_size="abc",
        learning_rate="1e-4x",
        max_epoch="none",
        image_encoder_manual_configuration=True,
        cross_layer_hidden_size=250,
    )
    assert found.splitlines()[:-1] == expected.splitlines()[:-1]
    assert found.splitlines()[-1] == (
        "  * cross_layer_hidden_size=250 is not divisible by num_cross_layer_heads=4: "
        "every attention head takes an equal share of the width"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("batch_size", 0, "batch_size=0: must be a whole number, at least 1"),
        ("batch_size", 1.5, "batch_size=1.5: must be a whole number, at least 1"),
        ("batch_size", True, "batch_size=True: must be a whole number, at least 1"),
        ("test_only", 1, "test_only=1: must be True or False; did you mean True?"),
        ("test_only", "false", "test_only='false': must be True or False; did you mean False?"),
        ("drop_rate", 1, "drop_rate=1: must be a number from 0 to below 1"),
        ("learning_rate", float("nan"), "learning_rate=nan: must be a number above 0"),
        ("learning_rate", False, "learning_rate=False: must be a number above 0"),
        ("optim_type", "adamv", "optim_type: must be adam, adamw, lion, muon or sgd, not 'adamv'; did you mean adam?"),
        ("optim_type", 5, "optim_type: must be adam, adamw, lion, muon or sgd, not 5"),
        (
            "model_type",
            "onetower",
            "model_type='onetower': must be two-tower, one-tower or late-fusion; did you mean one-tower?",
        ),
        ("num_gpus", -1, "num_gpus=-1: must be auto, or a whole number, at least 0"),
        ("num_gpus", "aut", "num_gpus='aut': must be auto, or a whole number, at least 0; did you mean auto?"),
        ("precision", 64, "precision=64: must be 32, bf16-mixed (or bf16) or 16-mixed (or 16)"),
        ("adam_betas", [0.9], "adam_betas=[0.9]: must be a list of two numbers from 0 to below 1"),
        (
            "datasets",
            "coco",
            "datasets='coco': must be a list of names; on the command line, in quotes: 'datasets=[\"coco\"]'",
        ),
        (
            "train_transform_keys",
            ["imagenett"],
            "train_transform_keys=['imagenett']: must be a list of one of imagenet, clip, imagenet_randaug, "
            "clip_randaug",
        ),
        (
            "val_check_interval",
            1.5,
            "val_check_interval=1.5: must be a fraction of an epoch above 0.0, at most 1.0, or a whole number of "
            "optimiser steps, at least 1",
        ),
        (
            "warmup_steps",
            1.0,
            "warmup_steps=1.0: must be a whole number of steps, at least 0, or a fraction of the training from 0.0 to "
            "below 1.0",
        ),
        ("exp_name", "a/b", "exp_name: must be a name that can be a folder's: no slash, no leading dot (got 'a/b')"),
        (
            "exp_name",
            2024,
            "exp_name=2024: must be a name that can be a folder's; on the command line, in two pairs of quotes: "
            "'exp_name=\"2024\"'",
        ),
        (
            "loss_names",
            {"mlmm": 1},
            "loss_names: there is no task 'mlmm'; did you mean mlm?; a plug-in's are known where plugins=… names it",
        ),
        ("loss_names", {"mlm": -1}, "loss_names: the weight of mlm must be a number, at least 0, not -1"),
        ("loss_names", 3, "loss_names: must be a weight for each task; one by one: loss_names.mlm=1 loss_names.itm=1"),
        (
            "generation_strategy",
            "beams",
            "generation_strategy='beams': must be greedy, beam or sample; did you mean beam?",
        ),
        ("top_p", 0, "top_p=0: must be a number above 0, at most 1"),
        (
            "manual_inputs",
            [{"picture": "a.jpg"}],
            'manual_inputs: must be a list of {"image": a file, "prefix": a text}: \'picture\' is neither image nor '
            "prefix in {'picture': 'a.jpg'}",
        ),
        (
            "max_generated_tokens",
            50,
            "max_generated_tokens=50 is more than max_text_len=40, the longest text that the decoder knows",
        ),
        ("optimizer_type", "sgd", "optimizer_type: there is no such setting; did you mean optim_type?"),
        ("zzz", 1, "zzz: there is no such setting; `python run.py print_config` shows all"),
    ],
)
def test_one_wrong_value(name: str, value: Any, expected: str) -> None:
    assert fault(**{name: value}) == expected


def test_long_values_are_cut_and_missing_ones_named() -> None:
    assert len(fault(batch_size="x" * 1000)) < 120
    config = ex.configurations[0]()
    del config["seed"]
    with pytest.raises(UserError, match="seed: is missing"):
        check_settings(config)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"text_encoder_manual_configuration": True}, "text_encoder_manual_configuration=True needs random_init_text_"),
        ({"encoder_manual_configuration": True}, "encoder_manual_configuration=True needs random_init_encoder=True"),
        (
            {"text_encoder_hidden_size": 190},
            "text_encoder_hidden_size=190 is not divisible by text_encoder_num_heads=4",
        ),
        ({"image_size": 200, "patch_size": 16}, "image_size=200 is not divisible by patch_size, 16"),
        ({"image_size": 225}, "image_size=225 is not divisible by the patch size of image_encoder, 16"),
        ({"loss_names": {"itm": 1}, "draw_false_image": 0}, "draw_false_image + draw_false_text must be at least 1"),
        (
            {"loss_names": {"itm": 1}, "per_gpu_batchsize": 1},
            "per_gpu_batchsize=1 leaves itm no false partner in the batch: take at least 2, or itm_false_from=dataset",
        ),
        (
            {"loss_names": {"itm": 1}, "itm_false_from": "dataset", "caption_weights": {"synthetic": 1}},
            "caption_weights takes some examples seldom or never, and itm_false_from=dataset draws false partners from",
        ),
        (
            {"loss_names": {"itm": 1}, "itm_false_from": "dataset", "dataset_weights": {"vg": 2}},
            "dataset_weights takes some examples seldom or never, and itm_false_from=dataset draws false partners from",
        ),
        (
            {"loss_names": {"itm": 1}, "itm_false_from": "hard"},
            "itm_false_from='hard' draws false partners by the similarity that contrastive learns: add loss_names.cont",
        ),
        (
            {"loss_names": {"contrastive": 1}, "batch_size": 1, "per_gpu_batchsize": 1},
            "batch_size=1 leaves contrastive nothing to compare a text and its image with",
        ),
        (
            {"loss_names": {"contrastive": 1}, "text_modality_dropout": 0.1},
            "a modality left out before fusing changes nothing for contrastive, which fuses nothing",
        ),
        (
            {"loss_names": {"cifar10": 1}, "per_gpu_batchsize": 1, "mixing_alpha": 0.2},
            "per_gpu_batchsize=1 leaves mixing_alpha=0.2 nothing in the batch to mix an example with",
        ),
        (
            {"datasets": ["scenes", "coco", "scenes"]},
            "datasets: must name each once, but 'scenes' is there twice, and its examples would count double",
        ),
        (
            {"loss_names": {"itm": 1, "imdb": 1}, "image_only": True},
            "image_only=True leaves the text out, which imdb, ",
        ),
        ({"max_epoch": None, "max_steps": None}, "max_epoch and max_steps are both None"),
        ({"end_lr": 1e-3}, "end_lr=0.001 is above learning_rate=1e-05"),
        (
            {"whole_word_masking": True, "text_encoder": "roberta-base"},
            "whole_word_masking=True needs a tokenizer with word pieces, which that of text_encoder='roberta-base' "
            "does not have; give whole_word_masking=False, or another tokenizer",
        ),
        (
            {"whole_word_masking": True, "model_type": "one-tower", "encoder": "FacebookAI/roberta-base"},
            "whole_word_masking=True needs a tokenizer with word pieces, which that of encoder=",
        ),
        (
            {"whole_word_masking": True, "random_init_text_encoder": True, "tokenizer_type": "bpe"},
            "whole_word_masking=True cannot tell words with tokenizer_type=bpe; give whole_word_masking=False, or ",
        ),
        (
            {"tokenizer": "bert-base-uncased", "vocab_file": "words.json"},
            "tokenizer and vocab_file cannot both be given: each brings a vocabulary of its own",
        ),
        (
            {"tokenizer": "bert-base-uncased", "tokenizer_type": "word"},
            "tokenizer_type=word is for a vocabulary that is built, or a vocab_file; tokenizer='bert-base-uncased' ",
        ),
        (
            {"vocab_file": "words.json", "loss_names": {"imdb": 1}},
            "vocab_file='words.json' numbers its tokens in its own way, and text_encoder=",
        ),
        (
            {"text_encoder": ["bert", "longformer"], "text_encoder_window_size": 64},
            "text_encoder_window_size is transformer's, which is not among the encoders of text_encoder",
        ),
    ],
)
def test_pairs_that_cannot_go_together(overrides: dict[str, Any], expected: str) -> None:
    assert fault(**overrides).startswith(expected)


@pytest.mark.parametrize(
    "overrides",
    [
        {"image_encoder_manual_configuration": True, "random_init_vision_encoder": True},
        {"image_size": 192, "patch_size": 32},
        {"loss_names": {"cifar10": 1}, "image_only": True},
        {"loss_names": {"itm": 1}, "draw_false_image": 0, "draw_false_text": 1},
        {"loss_names": {"itm": 1}, "per_gpu_batchsize": 1, "itm_false_from": "dataset"},
        {"loss_names": {"itm": 1, "contrastive": 1}, "itm_false_from": "hard", "text_modality_dropout": 0.1},
        {"loss_names": {"mlm": 1}, "itm_false_from": "hard"},
        {"loss_names": {"itm": 1}, "caption_weights": {"synthetic": 1}},
        {"loss_names": {"mlm": 1}, "itm_false_from": "dataset", "caption_weights": {"synthetic": 1}},
        {"loss_names": {"itm": 1}, "per_gpu_batchsize": 1, "test_only": True, "load_path": "somewhere.ckpt"},
        # Random weights mean a vocabulary built from the training texts, which has word pieces.
        {"whole_word_masking": True, "text_encoder": "roberta-base", "random_init_text_encoder": True},
        {"whole_word_masking": True, "text_encoder": "roberta-base", "tokenizer": "bert-base-uncased"},
        {"whole_word_masking": True, "random_init_text_encoder": True, "tokenizer_type": "word"},
        # The checkpoint brings patch size and tokenizer.
        {"image_size": 72, "load_path": "somewhere.ckpt"},
    ],
)
def test_pairs_that_go_together(make_settings: MakeSettings, overrides: dict[str, Any]) -> None:
    make_settings(**overrides)


@pytest.mark.parametrize("weights", [{"contras": 0.5}, {"contras": 0.5, "contrastive": 0}, {"contrastive": 0.5}])
def test_an_older_name_of_a_task_is_recorded_under_its_name(
    make_settings: MakeSettings, weights: dict[str, Any]
) -> None:
    settings = make_settings(loss_names=weights)
    assert settings.active_tasks() == ["contrastive"]
    assert settings.loss_names["contrastive"] == 0.5
    assert "contras" not in settings.loss_names


def test_both_names_of_a_task_with_different_weights() -> None:
    for weights in ({"contras": 1, "contrastive": 2}, {"contrastive": 2, "contras": 1}):
        assert fault(loss_names=weights) == "loss_names: contrastive has two weights, one under an older name: give one"


def test_local_tokenizers_are_told_by_their_files(tmp_path: Path) -> None:
    pieces, bytes_, words = tmp_path / "pieces", tmp_path / "roberta", tmp_path / "words"
    for folder, kind in ((pieces, "WordPiece"), (bytes_, "BPE")):
        folder.mkdir()
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": kind}}))
    words.mkdir()
    (words / "vocab.txt").write_text("[PAD]\n")
    assert lacks_word_pieces(str(bytes_))
    assert not lacks_word_pieces(str(pieces))
    assert not lacks_word_pieces(str(words))
    assert fault(whole_word_masking=True, tokenizer=str(bytes_)).startswith("whole_word_masking=True needs")


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("bert-base-uncased", False),
        ("google/electra-small-discriminator", False),
        ("nreimers/MiniLM-L6-H384-uncased", False),
        ("microsoft/mpnet-base", False),
        ("distilbert-base-cased", False),
        ("xlm-roberta-base", True),
        ("gpt2", True),
        ("facebook/bart-base", True),
        ("t5-small", True),
        ("microsoft/deberta-v3-small", True),
        ("allenai/longformer-base-4096", True),
    ],
)
def test_published_tokenizers_are_told_by_their_names(name: str, lacks: bool) -> None:
    assert lacks_word_pieces(name) is lacks


def test_what_training_needs(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run" / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    on = {"loss_names": {"mlm": 1}}
    assert fault("train").startswith("loss_names: no task is on; take a named configuration")
    assert fault("train", test_only=True, **on) == "test_only=True needs load_path, the checkpoint to be tested"
    assert fault("train", load_path="no.ckpt", **on) == "load_path='no.ckpt': there is no such file"
    assert fault("train", resume_from=str(checkpoint.parents[1]), **on) == (
        f"resume_from={str(checkpoint.parents[1])!r} is a folder; give the checkpoint file: {checkpoint}"
    )
    assert "cannot both be given" in fault("train", load_path=str(checkpoint), resume_from=str(checkpoint), **on)
    writing = {"loss_names": {"caption": 1}, "manual_inputs": [{"image": "no.jpg"}]}
    assert fault("train", **writing) == "manual_inputs: there is no file 'no.jpg'"
    assert fault("train", text_encoder="./nowhere", **on) == "text_encoder='./nowhere': there is no such folder"
    config = {**ex.configurations[0](), **on, "load_path": str(checkpoint), "resume_from": "auto"}
    assert check_settings(config, "train").active_tasks() == ["mlm"]


def test_a_command_line_that_resumes_is_not_checked_against_defaults_that_the_run_does_not_have(tmp_path: Path) -> None:
    """Neither a task nor the learning rate, 1e-5 by default, is the resumed run's."""
    (tmp_path / "last.ckpt").touch()
    config = {**ex.configurations[0](), "resume_from": str(tmp_path / "last.ckpt"), "end_lr": 1e-4}
    assert check_settings(config, "train").end_lr == 1e-4
    with pytest.raises(UserError, match=r"end_lr=.* is above learning_rate"):
        check_settings({**config, "resume_from": None}, "train")


def test_flags_wait_for_the_encoder_of_the_checkpoint(make_settings: MakeSettings) -> None:
    settings = make_settings(load_path="somewhere.ckpt", text_encoder_config={"num_hidden_layers": 4})
    check_inherited(settings, brought={"text_encoder"})
    with pytest.raises(UserError, match="text_encoder_config needs random_init_text_encoder=True"):
        check_inherited(settings, brought={"image_encoder"})
    lists = make_settings(load_path="somewhere.ckpt", freeze_text_encoder=[True, False])
    with pytest.raises(UserError, match=r"checkpoint brings, has a fault:\n.*a list of 2, and text_encoder names 1"):
        check_inherited(lists, brought={"text_encoder"})


def test_what_prepare_needs() -> None:
    assert fault("prepare").startswith("dataset: say what to prepare, such as dataset=coco (data sets: ")
    assert fault("prepare", dataset="floder").startswith(
        "dataset='floder': there is no such data set; did you mean fol"
    )
    assert fault("prepare", dataset="folder").startswith("raw_root: say where the raw files of folder lie")


def test_values_take_their_own_type(make_settings: MakeSettings) -> None:
    settings = make_settings(max_steps=1e5, warmup_steps=1e3, val_check_interval=500.0, learning_rate=1, load_path=None)
    assert (settings.max_steps, settings.warmup_steps, settings.val_check_interval) == (100000, 1000, 500)
    assert all(isinstance(value, int) for value in (settings.max_steps, settings.warmup_steps))
    assert isinstance(settings.val_check_interval, int)
    assert isinstance(settings.learning_rate, float)
    assert settings.load_path == ""
    assert isinstance(make_settings(val_check_interval=1.0).val_check_interval, float)
    assert make_settings(val_check_interval=1).val_check_interval == 1
    assert make_settings(warmup_steps=0.1).warmup_steps == 0.1
    assert (
        make_settings(step_size=3e3, schedule=None).model_dump().items()
        >= {"step_size": 3000, "schedule": "none"}.items()
    )
    with pytest.raises(
        UserError, match="decay_power: is the exponent of schedule=polynomial, a number; a cosine is sched"
    ):
        make_settings(decay_power="cosine")
    assert make_settings(precision=16).precision == "16-mixed"
    assert make_settings(precision="bf16").precision == "bf16-mixed"


def test_settings_are_frozen_and_plain(make_settings: MakeSettings) -> None:
    from sacred.config.custom_containers import make_read_only

    settings = make_settings(loss_names={"itm": 0.5})
    with pytest.raises(ValueError, match="frozen"):
        settings.__setattr__("seed", 3)
    assert settings.active_tasks() == ["itm"]
    assert set(settings.loss_names) == set(task_names())
    again = check_settings(make_read_only(settings.model_dump()))
    assert again == settings
    assert type(again.datasets) is list
    assert type(again.loss_names) is dict
    assert json.loads(json.dumps(again.model_dump())) == again.model_dump()


def test_dimensions_are_one_idea_with_three_prefixes(make_settings: MakeSettings) -> None:
    settings = make_settings(
        random_init_text_encoder=True, text_encoder_manual_configuration=True, text_encoder_hidden_size=128
    )
    assert text_encoders(settings)[0].dimensions == EncoderDimensions(128, 4, 12, 4.0, 0.1, 64)
    assert settings.image_encoder_dimensions() is None
    assert settings.encoder_dimensions() is None
    assert settings.cross_layer_dimensions() == EncoderDimensions(256, 4, 6, 4.0, 0.1, None)


def test_workers_are_limited_to_the_cores(make_settings: MakeSettings) -> None:
    assert make_settings(num_workers=10_000).worker_processes() < 10_000
    assert make_settings(num_workers=0).worker_processes() == 0
