"""Encoders that are no Hugging Face models, from their registration through training, checkpoints and resuming."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.errors import UserError
from renaissance.models.towers.registered import RegisteredImageEncoder
from renaissance.registrations import Registrations
from renaissance.settings import registered_encoders as registry
from renaissance.settings.registered_encoders import ImageEncoderRequest, register_image_encoder, register_text_encoder
from renaissance.training.memory import Memory
from tests.training.interrupting import run_whole_and_broken, stop_at

SMALL = {"batch_size": 32, "per_gpu_batchsize": 32, "warmup_steps": 0, "max_epoch": None, "learning_rate": 3e-3}


class Cnn(nn.Module):
    """Three convolutions; each place of the last map is a position."""

    def __init__(self, width, image_size):
        super().__init__()
        self.config = {"width": width}
        self.hidden_size = width
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.GELU())
            for channels in (3, width, width)
        )
        self.position_embeddings = nn.Parameter(torch.zeros(1, (image_size // 8) ** 2, width))

    def forward(self, pixels):
        for layer in self.layers:
            pixels = layer(pixels)
        return pixels.flatten(2).transpose(1, 2) + self.position_embeddings


class Gru(nn.Module):
    """Words, read from both ends."""

    def __init__(self, request):
        super().__init__()
        self.hidden_size = request.config.get("width") or request.flags.get("width", 16)
        self.config = {"width": self.hidden_size}
        self.word_embeddings = nn.Embedding(request.vocab_size, self.hidden_size)
        self.rnn = nn.GRU(self.hidden_size, self.hidden_size // 2, bidirectional=True, batch_first=True)

    def forward(self, ids, mask):
        return self.rnn(self.word_embeddings(ids) * mask[..., None])[0]


def build_cnn(request):
    given = request.dimensions.hidden_size if request.dimensions else 24
    return Cnn(request.config.get("width", given), request.image_size)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """Each test registers into registries of its own."""
    monkeypatch.setattr(registry, "_image_encoders", Registrations("image encoder"))
    monkeypatch.setattr(registry, "_text_encoders", Registrations("text encoder"))
    register_image_encoder("tiny_cnn", build_cnn)
    register_text_encoder("tiny_gru", Gru)


def test_a_cnn_learns_and_is_tested_as_it_was(run):
    settings = {**SMALL, "image_encoder": "tiny_cnn", "image_pooling": "mean"}
    folder, final = run("task_finetune_cifar10", "tiny", "scenes", **settings, max_steps=60)
    classes = read_checkpoint(folder.best_checkpoint).description.label_names["cifar10"]
    assert final["cifar10/test/accuracy"] > 2 / len(classes), "twice chance"
    summary = json.loads(folder.summary.read_text())
    assert summary["parts_from"]["image_encoder"] == "random"
    description = read_checkpoint(folder.best_checkpoint).description
    cnn = Cnn(64, description.settings["image_size"])
    assert summary["parameters"]["image_encoder"] == sum(parameter.numel() for parameter in cnn.parameters())
    assert description.encoder_configs["image_encoder"] == {
        "registered": "tiny_cnn", "num_channels": 3, "config": {"width": 64}
    }  # fmt: skip
    _, tested = run("task_finetune_cifar10", "scenes", load_path=str(folder.best_checkpoint), test_only=True)
    wanted = {name: value for name, value in final.items() if "/test/" in name}
    assert {name: value for name, value in tested.items() if "/test/" in name} == wanted


def test_a_checkpoint_without_its_plug_in_names_the_encoder(run, monkeypatch):
    settings = {**SMALL, "image_encoder": "tiny_cnn"}
    folder, _ = run("task_finetune_cifar10", "tiny", "scenes", **settings, max_steps=1)
    monkeypatch.setattr(registry, "_image_encoders", Registrations("image encoder"))
    with pytest.raises(UserError, match=r"best\.ckpt: image_encoder = 'tiny_cnn' is an encoder that a plug-in defines"):
        run("task_finetune_cifar10", "scenes", load_path=str(folder.best_checkpoint), test_only=True)
    with pytest.raises(UserError, match=r"image_encoder = 'tiny_cnn'(.|\n)*name the plug-in that registers it"):
        run("task_finetune_cifar10", "tiny", "scenes", **settings, max_steps=1)


def test_both_sides_of_a_pair_go_through_mlm_itm_and_resume_exactly(run):
    settings = {**SMALL, "image_encoder": "tiny_cnn", "text_encoder": "tiny_gru", "text_encoder_config": {"width": 32},
                "image_encoder_manual_configuration": True, "image_encoder_hidden_size": 20,
                "image_encoder_num_heads": 4, "max_steps": 6, "val_check_interval": 2}  # fmt: skip
    stop = stop_at(2, "itm/val/loss")
    whole, broken = run_whole_and_broken(run, "task_mlm_itm", "tiny", "scenes", stop=stop, **settings)
    assert whole.metrics.read_bytes() == broken.metrics.read_bytes()
    configs = read_checkpoint(whole.best_checkpoint).description.encoder_configs
    assert configs["text_encoder"]["config"] == {"width": 32}
    assert configs["image_encoder"]["config"] == {"width": 20}
    modules = {"image_encoder": str(whole.best_checkpoint), "text_encoder": str(whole.best_checkpoint)}
    folder, _ = run("task_itm", "tiny", "scenes", **SMALL, load_modules=modules, max_steps=1,
                    freeze_image_encoder_layers=2, freeze_text_encoder=True,
                    image_encoder_hidden_size=20)  # fmt: skip
    before, after = (read_checkpoint(path).state_dict for path in (whole.best_checkpoint, folder.last_checkpoint))
    for name in (name for name in before if "_encoder.encoder." in name):
        free = name.startswith(("model.image_encoder.encoder.layers.2", "model.image_encoder.encoder.position"))
        assert torch.equal(before[name], after[name]) != free, name


def test_dimensions_by_hand_need_no_other_setting(make_settings, monkeypatch):
    given = {"image_encoder": "tiny_cnn", "image_encoder_manual_configuration": True, "text_encoder": "tiny_gru",
             "text_encoder_manual_configuration": True}  # fmt: skip
    assert make_settings(**given).image_encoder == "tiny_cnn"
    monkeypatch.setattr(registry, "_image_encoders", Registrations("image encoder"))
    monkeypatch.setattr(registry, "_text_encoders", Registrations("text encoder"))
    with pytest.raises(UserError, match=r"needs random_init_vision_encoder=True(.|\n)*random_init_text_encoder=True"):
        make_settings(**given)


def test_a_name_that_is_nearly_a_registered_one_is_asked_about(run):
    with pytest.raises(UserError, match=r"image_encoder = 'tiny_cn': .* Did you mean 'tiny_cnn'\?"):
        run("task_finetune_cifar10", "tiny", "scenes", **SMALL, image_encoder="tiny_cn", max_steps=1)


def test_random_weights_that_would_stay_so_are_refused(run):
    reason = "by freeze_image_encoder=True; image_encoder='tiny_cnn' is an encoder of a plug-in, which has no weights"
    with pytest.raises(UserError, match=reason):
        run("task_finetune_cifar10", "tiny", "scenes", **SMALL, image_encoder="tiny_cnn", freeze_image_encoder=True)


def test_position_embeddings_go_along_to_another_image_size(run, capsys):
    settings = {**SMALL, "image_encoder": "tiny_cnn", "max_steps": 1}
    folder, _ = run("task_finetune_cifar10", "tiny", "scenes", **settings)
    capsys.readouterr()
    larger = 2 * read_checkpoint(folder.best_checkpoint).description.settings["image_size"]
    given = {**settings, "load_path": str(folder.best_checkpoint), "image_size": larger}
    resized, _ = run("task_finetune_cifar10", "scenes", **given, chosen=["load_path", "image_size"])
    name = "model.image_encoder.encoder.position_embeddings"
    assert read_checkpoint(resized.best_checkpoint).state_dict[name].shape[1] == (larger // 8) ** 2


def test_what_is_too_large_is_refused_before_it_is_built(run, monkeypatch):
    monkeypatch.setattr("renaissance.training.assemble.memory_of", lambda accelerator: Memory("this test", 50_000_000))
    large = {"image_encoder_manual_configuration": True, "image_encoder_hidden_size": 20_000}
    with pytest.raises(UserError, match=r"does not fit(.|\n)*image_encoder"):
        run("task_finetune_cifar10", "tiny", "scenes", **{**SMALL, "image_encoder": "tiny_cnn", **large})


class Wrong(nn.Module):
    """What an encoder must not be, one fault at a time."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.hidden_size = None if fault == "width" else 4
        self.config = {"sizes": (1, 2)} if fault == "config" else {}

    def forward(self, pixels):
        return torch.zeros(len(pixels), 4) if self.fault == "shape" else torch.zeros(len(pixels), 2, 4)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("width", "must have an attribute hidden_size"),
        ("shape", r"makes \(1, 4\) of images of shape \(1, 3, 32, 32\). It must make \(B, P, D\)"),
        ("config", "its config must be a dict of plain values"),
    ],
)
def test_what_is_no_encoder_is_told_what_it_lacks(fault, message):
    register_image_encoder("wrong", lambda request: Wrong(fault))
    with pytest.raises(UserError, match="image_encoder = 'wrong'.*" + message):
        RegisteredImageEncoder(ImageEncoderRequest("wrong", image_size=32))


def test_a_name_is_one_encoders_alone():
    register_image_encoder("tiny_cnn", build_cnn)  # a file that is read again
    with pytest.raises(UserError, match=r"image encoder tiny_cnn: there is one of this name already, of .*, line \d+"):
        register_image_encoder("tiny_cnn", Cnn)
    with pytest.raises(UserError, match="'google/cnn': its name must be letters"):
        register_image_encoder("google/cnn", build_cnn)
