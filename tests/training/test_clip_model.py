"""A whole CLIP or SigLIP, trained and exported: transformers opens it with equal features and logits."""

from __future__ import annotations

import json
import math

import pytest
import torch
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer, CLIPTokenizer

import renaissance
from config import ex
from renaissance.errors import UserError
from renaissance.inference.export import export_encoders
from renaissance.settings import check_settings
from tests.models.references import IMAGE
from tests.models.test_joint_encoders import SIZES, whole
from tests.training.interrupting import run_whole_and_broken, stop_at
from tests.training.test_export import picture

TEXTS = ["a red dot", "two zebras."]
TINY = {"batch_size": 8, "per_gpu_batchsize": 8, "warmup_steps": 0, "learning_rate": 1e-3, "image_size": 32,
        "random_init_text_encoder": False, "random_init_vision_encoder": False, "max_text_len": 20,
        "text_encoder_manual_configuration": False, "image_encoder_manual_configuration": False,
        "patch_size": None}  # fmt: skip
NAMED = ("task_contrastive", "scenes", "tiny")


@pytest.fixture(params=SIZES)
def folder(request, tmp_path):
    """A tiny pretrained one with a tokenizer of letters, as CLIP's is one of pieces, and a processor."""
    letters = "abcdefghijklmnopqrstuvwxyz."
    words = ["!", "<|startoftext|>", "<pad>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], pad_token="<pad>").save_pretrained(tmp_path / "whole")
    model = whole(request.param)
    model.config.text_config.pad_token_id, model.config.text_config.bos_token_id = 2, 1
    model.save_pretrained(tmp_path / "whole")
    statistics = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "resample": 3}
    (tmp_path / "whole" / "preprocessor_config.json").write_text(json.dumps(statistics))
    return request.param, str(tmp_path / "whole")


def asked_of(family, path):
    return {**TINY, "clip_model": path, "contrastive_loss": family, "contrastive_size": SIZES[family]}


def test_it_trains_resumes_and_is_exported_whole(run, folder, tmp_path, capsys):
    family, path = folder
    settings = {**asked_of(family, path), "max_steps": 3, "log_interval": 1, "val_check_interval": 2}
    if family == "clip":
        through, broken = run_whole_and_broken(run, *NAMED, stop=stop_at(2, "contrastive/train/loss"), **settings)
        assert through.metrics.read_text() == broken.metrics.read_text()
    else:
        through, _ = run(*NAMED, **settings)
    origins = json.loads(through.summary.read_text())["parts_from"]
    assert set(origins.values()) == {f"pretrained {path}"}
    model = renaissance.load(through.best_checkpoint)
    exporting = {
        **ex.configurations[0](),
        "load_path": str(through.best_checkpoint),
        "export_dir": str(tmp_path / "out"),
    }
    target = export_encoders(check_settings(exporting, "export"))["clip_model"]
    theirs = AutoModel.from_pretrained(target).eval()
    assert type(theirs).__name__ == {"clip": "CLIPModel", "siglip": "SiglipModel"}[family]
    tokenizer, processor = AutoTokenizer.from_pretrained(target), AutoImageProcessor.from_pretrained(target)
    given = tokenizer(TEXTS, padding=True if family == "clip" else "max_length", return_tensors="pt")
    if family == "siglip":
        del given["attention_mask"]
    given.pop("token_type_ids", None)
    pictures = [picture(), picture((60, 80)).rotate(90)]
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        output = theirs(**given, pixel_values=pixels)
    torch.testing.assert_close(model.embed_text(TEXTS), output.text_embeds, rtol=1e-5, atol=1e-5)
    images = model.embed_image(pictures)
    torch.testing.assert_close(
        images, output.image_embeds, rtol=0, atol=2e-2
    )  # pixels differ by a level here and there
    began = AutoModel.from_pretrained(path)
    assert not torch.equal(began.logit_scale, theirs.logit_scale), "it was trained"
    assert theirs.logit_scale.item() == pytest.approx(1.7, abs=0.02), "from where it began"
    assert math.isclose(theirs.config.vision_config.patch_size, IMAGE["patch_size"])
    assert "not exported" not in capsys.readouterr().out


QUICK = {"max_steps": 1, "log_interval": 1}


def entry(folder):
    return torch.load(folder.last_checkpoint, weights_only=True)["renaissance"]


@pytest.fixture
def plain_run(run, scenes_root, tmp_path):
    """The checkpoint of a contrastive run with small towers of its own."""
    folder, _ = run(*NAMED, **QUICK, batch_size=8, per_gpu_batchsize=8, image_size=32, exp_name="plain")
    return folder.best_checkpoint


@pytest.mark.parametrize("folder", ["clip"], indirect=True)
def test_one_of_its_towers_as_a_part_leaves_the_other_the_users(run, folder, tmp_path):
    family, path = folder
    trained, _ = run(*NAMED, **asked_of(family, path), **QUICK, exp_name="whole")
    part = {"load_modules": {"image_encoder": str(trained.best_checkpoint)}}
    own = {name: value for name, value in TINY.items() if "text_encoder" not in name}
    mixed, _ = run(*NAMED, **own, **QUICK, **part, exp_name="mixed")
    settings, configs = entry(mixed)["settings"], entry(mixed)["encoder_configs"]
    assert settings["clip_model"] is None
    assert (settings["image_encoder"], settings["text_encoder"]) == (path, ex.configurations[0]()["text_encoder"])
    assert "joint_space" in configs["image_encoder"]
    assert "joint_space" not in configs["text_encoder"]
    assert json.loads(mixed.summary.read_text())["parts_from"]["text_encoder"] == "random"
    renaissance.load(mixed.best_checkpoint)
    # Beside the model itself the rest of it is published, its head included.
    both, _ = run(*NAMED, **asked_of(family, path), **QUICK, **part, exp_name="both")
    origins = json.loads(both.summary.read_text())["parts_from"]
    assert origins["contrastive_head"] == origins["text_encoder"] == f"pretrained {path}"
    assert origins["image_encoder"] == f"checkpoint {trained.best_checkpoint}"


@pytest.mark.parametrize("folder", ["clip"], indirect=True)
def test_it_contradicts_a_checkpoint_of_other_towers_or_replaces_them(run, folder, plain_run, tmp_path):
    family, path = folder
    content = torch.load(plain_run, weights_only=True)
    del content["renaissance"]["settings"]["clip_model"]
    torch.save(content, tmp_path / "old.ckpt")
    for checkpoint in (tmp_path / "old.ckpt", plain_run):
        given = {"load_path": str(checkpoint), **QUICK, "exp_name": "clip"}
        with pytest.raises(UserError, match=r"clip_model: '.*' was asked for, the checkpoint has None"):
            run(*NAMED, **given, chosen=["load_path", "clip_model"], clip_model=path, image_size=32)
        replaced, _ = run(*NAMED, **asked_of(family, path), **given, strict_loading=False)
        origins = json.loads(replaced.summary.read_text())["parts_from"]
        assert origins["text_encoder"] == origins["image_encoder"] == f"pretrained {path}"
        assert entry(replaced)["settings"]["text_encoder"] == path
        assert "joint_space" in entry(replaced)["encoder_configs"]["text_encoder"]


@pytest.mark.parametrize("folder", ["clip"], indirect=True)
def test_a_tower_that_is_named_beside_it_is_refused(run, folder):
    family, path = folder
    with pytest.raises(UserError, match=r"text_encoder='transformer' beside clip_model="):
        run(*NAMED, **asked_of(family, path), **QUICK, text_encoder="transformer")


@pytest.mark.parametrize("folder", ["siglip"], indirect=True)
def test_frozen_towers_train_the_scale_in_parts_of_a_step_as_in_one(run, folder):
    family, path = folder
    frozen = {"freeze_text_encoder": True, "freeze_image_encoder": True, "max_steps": 2, "contrastive_drop_rate": 0}
    ends = []
    for batch in (8, 2):
        trained, _ = run(*NAMED, **{**asked_of(family, path), **frozen, "per_gpu_batchsize": batch})
        state = torch.load(trained.last_checkpoint, weights_only=True)["state_dict"]
        ends.append({name: tensor for name, tensor in state.items() if name.startswith("tasks.")})
    assert len(ends[0]) == 2, "scale and bias"
    assert ends[0]["tasks.contrastive.log_scale"] != 1.7
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("folder", ["siglip"], indirect=True)
def test_its_towers_alone_are_exported_as_of_no_joint_space(run, folder, tmp_path, capsys):
    family, path = folder
    trained, _ = run(*NAMED, **asked_of(family, path), **QUICK, image_pooling="mean", text_pooling="max")
    said = capsys.readouterr().out
    assert "image_pooling=mean is without effect" in said
    assert "text_pooling=max is without effect" in said
    exporting = {
        **ex.configurations[0](),
        "load_path": str(trained.best_checkpoint),
        "export_dir": str(tmp_path / "out"),
    }
    folders = export_encoders(check_settings(exporting, "export"))
    assert "image_pooling" not in capsys.readouterr().out
    for part in ("image_encoder", "text_encoder"):
        assert "joint_space" not in json.loads((folders[part] / "config.json").read_text())
