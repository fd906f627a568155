"""A whole CLIP or SigLIP, trained and exported: transformers opens it with equal features and logits."""

from __future__ import annotations

import json
import math

import pytest
import torch
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer, CLIPTokenizer

import renaissance
from config import ex
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
