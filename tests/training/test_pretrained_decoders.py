"""Captioning runs whose decoder is a language model: what their checkpoints bring, alone and as a whole."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from config import ex
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.inference.export import export_encoders
from renaissance.settings import check_settings
from tests.models.decoders import language_model_folder
from tests.training.interrupting import run_whole_and_broken, stop_at
from tests.training.test_captioning import QUICK, files

CAPTIONS = ["a red square above a blue circle", "one small green triangle", "two yellow stars"] * 3
SETTINGS = {"caption_metric_images": 6, "num_samples": 3, "loss_names": {"caption": 1}, "datasets": ["scenes"]}


@pytest.fixture(scope="module")
def captioned(scenes_root, tmp_path_factory):
    """Gives a checkpoint of a few steps with a kind of decoder, whose folder is gone; trained once a kind."""
    from tests.training.conftest import Runner

    known = {}

    def train(kind, prefix):
        if (kind, prefix) not in known:
            root = tmp_path_factory.mktemp("language_model")
            folder = language_model_folder(root / kind, kind, CAPTIONS)
            runner = Runner(scenes_root, root / "result")
            known[kind, prefix] = runner(
                "task_foundation_captioning", "scenes", **QUICK, decoder=folder, caption_prefix_encoder=prefix
            )[0].best_checkpoint
            shutil.rmtree(folder)
        return known[kind, prefix]

    return train


@pytest.mark.parametrize(("kind", "prefix"), [("gpt2", False), ("gpt2", True), ("bert", False)])
def test_a_checkpoint_brings_its_decoder_when_the_folder_is_gone(run, captioned, tmp_path, kind, prefix):
    checkpoint = captioned(kind, prefix)
    before = json.loads((checkpoint.parent.parent / "summary.json").read_text())["final"]
    moved = shutil.copy(checkpoint, tmp_path / "moved.ckpt")
    _, final = run(load_path=str(moved), test_only=True, exp_name="tested", **SETTINGS)
    assert final == pytest.approx({name: value for name, value in before.items() if "/test/" in name})
    for longer in (40, 60):  # positions are resized
        run("task_foundation_captioning", load_path=str(moved), **{**QUICK, **SETTINGS, "max_steps": 1},
            max_text_len=longer, caption_prefix_encoder=prefix)  # fmt: skip


def test_another_decoder_contradicts_the_checkpoint(run, captioned, tmp_path):
    checkpoint = str(captioned("gpt2", False))
    with pytest.raises(UserError, match=r"decoder: None was asked for, the checkpoint has '.*gpt2'"):
        run("task_foundation_captioning", load_path=checkpoint, decoder=None, **SETTINGS)
    folder, _ = run(
        "task_foundation_captioning", load_path=checkpoint, decoder=None, strict_loading=False,
        **{**QUICK, **SETTINGS, "max_steps": 1},
    )  # fmt: skip
    names = read_checkpoint(folder.last_checkpoint).state_dict
    assert any(name.startswith("model.decoder.layers.") for name in names)
    assert not any(".decoder.model." in name for name in names)


def test_a_decoder_alone_is_loaded_and_its_language_kept_frozen(run, captioned):
    checkpoint = captioned("gpt2", False)
    folder, _ = run(
        "task_foundation_captioning", "scenes", **QUICK, load_modules={"decoder": str(checkpoint)},
        caption_prefix_encoder=False, freeze_decoder=True,
    )  # fmt: skip
    before, after = (read_checkpoint(path) for path in (checkpoint, folder.last_checkpoint))
    names = [name for name in after.state_dict if name.startswith("model.decoder.model.")]
    assert names
    for name in names:
        assert torch.equal(before.state_dict[name], after.state_dict[name]) == ("cross" not in name), name
    assert before.description.text == after.description.text
    parts = json.loads(folder.summary.read_text())["parameters"]
    assert parts["trained"] < parts["total"]


def test_an_image_encoder_goes_with_a_new_decoder(run, captioned, tmp_path):
    """A checkpoint's encoder brings no words, so a language model reads its own; those of a whole one are refused."""
    image_encoder = {"image_encoder": str(captioned("bert", False))}
    folder = language_model_folder(tmp_path / "gpt2", "gpt2", CAPTIONS)
    kept = {**QUICK, **SETTINGS, "max_steps": 1, "caption_prefix_encoder": False, "decoder": folder}
    final, _ = run("task_foundation_captioning", load_modules=image_encoder, **kept)
    assert read_checkpoint(final.last_checkpoint).description.encoder_configs["decoder"]["model_type"] == "gpt2"
    whole, _ = run("task_finetune_imdb", "scenes", "tiny", max_steps=1, max_epoch=None, warmup_steps=0)
    with pytest.raises(UserError, match="this run has others"):
        run("task_foundation_captioning", load_path=str(whole.last_checkpoint), **kept)


def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(run, tmp_path):
    folder = language_model_folder(tmp_path / "gpt2", "gpt2", CAPTIONS)
    settings = {**QUICK, "max_steps": 6, "val_check_interval": 3, "decoder": folder, "generation_strategy": "beam"}
    stop = stop_at(4, "caption/train/loss")
    whole, broken = run_whole_and_broken(run, "task_foundation_captioning", "scenes", stop=stop, **settings)
    assert files(broken) == files(whole)


@pytest.mark.parametrize(("task", "part"), [("cifar10", "image_encoder"), ("imdb", "text_encoder")])
def test_an_encoder_that_learnt_beside_a_language_model_is_fine_tuned(run, captioned, task, part):
    checkpoint = captioned("gpt2", True)
    folder, final = run(
        f"task_finetune_{task}", "scenes", max_steps=1, max_epoch=None, warmup_steps=0, batch_size=8,
        per_gpu_batchsize=8, load_path=str(checkpoint),
    )  # fmt: skip
    assert f"{task}/test/accuracy" in final
    made = read_checkpoint(folder.last_checkpoint)
    assert list(made.description.encoder_configs) == [part]
    if task == "imdb":
        assert made.description.text["tokenizer"] == read_checkpoint(checkpoint).description.text["tokenizer"]


def test_random_weights_need_no_tokenizer_of_the_decoder(run, tmp_path):
    folder = language_model_folder(tmp_path / "gpt2", "gpt2", CAPTIONS)
    for path in (tmp_path / "gpt2").iterdir():
        if path.name != "config.json":
            path.unlink()
    made, _ = run(
        "task_foundation_captioning", "scenes", **{**QUICK, "max_steps": 1}, decoder=folder, random_init_decoder=True
    )
    assert made.best_checkpoint.is_file()


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
@torch.no_grad()
def test_a_decoder_is_exported_and_opens_again(run, captioned, tmp_path, capsys, kind):
    checkpoint = captioned(kind, False)
    values = {**ex.configurations[0](), "load_path": str(checkpoint), "export_dir": str(tmp_path / "exported")}
    folders = export_encoders(check_settings(values, "export"))
    assert "decoder: the maps of image and prefix to its width are not in the folder" in capsys.readouterr().out
    saved = read_checkpoint(checkpoint)
    text = TextProcessor.from_state(saved.description.text)
    tokenizer = AutoTokenizer.from_pretrained(folders["decoder"])
    assert tokenizer(CAPTIONS).input_ids == [ids.tolist() for ids, _ in text.encode(CAPTIONS)]
    opened = AutoModelForCausalLM.from_pretrained(folders["decoder"])
    prefix = "model.decoder.model."
    weights = {name.removeprefix(prefix): tensor for name, tensor in saved.state_dict.items() if prefix in name}
    assert opened.state_dict().keys() == weights.keys()
    assert all(torch.equal(opened.state_dict()[name], tensor) for name, tensor in weights.items())
    again, _ = run(
        "task_foundation_captioning", "scenes", **{**QUICK, "max_steps": 1}, decoder=str(folders["decoder"]),
        caption_prefix_encoder=False,
    )  # fmt: skip
    assert "begins at random" not in capsys.readouterr().out
    assert again.best_checkpoint.is_file()
