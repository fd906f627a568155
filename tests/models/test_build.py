"""What `build_model` promises of both architectures: parts, freezing, rebuilding from a checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.data.images.transform import ImageStatistics
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.interface import Fused, VisionLanguageEncoder
from renaissance.models.weights import load_weights
from renaissance.settings import Settings
from tests.models.references import IMAGE, TEXT, randomise, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
MODELS: dict[str, dict[str, Any]] = {
    "two-tower": {},
    "two-tower roberta beit": {"text_encoder": "roberta-base", "image_encoder": "microsoft/beit-base-patch16-224"},
    "late-fusion": {"model_type": "late-fusion"},
    "one-tower electra": {"model_type": "one-tower"},
    "one-tower deit": {"model_type": "one-tower", "encoder": "facebook/deit-tiny-patch16-224"},
    "one-tower beit": {"model_type": "one-tower", "encoder": "microsoft/beit-base-patch16-224"},
}
SIDES = [(True, True), (True, False), (False, True)]


def build(settings: Settings, text: bool = True, image: bool = True, **options: Any) -> VisionLanguageEncoder:
    return build_model(settings, vocab_size=60, pad_id=0, text=text, image=image, **options)


def run(model: VisionLanguageEncoder, tokens: Tokens, pixels: Tensor) -> Fused:
    return model.fuse(model.encode_text(tokens), model.encode_image(pixels))


@pytest.mark.parametrize(("text", "image"), SIDES)
@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_is_in_one_part(name: str, text: bool, image: bool, tiny: Make) -> None:
    model = build(tiny(**MODELS[name]), text, image)
    in_parts = [parameter for part in model.parts() for parameter in part.module.parameters()]
    assert len(in_parts) == len(set(map(id, in_parts)))
    assert set(map(id, in_parts)) == set(map(id, model.parameters()))
    by_name = {part.name: part.module for part in model.parts()}
    assert {name.partition(".")[0] for name in model.state_dict()} == set(by_name)
    children = {name: module for name, module in model.named_children() if any(True for _ in module.parameters())}
    assert all(by_name[name] is module for name, module in children.items())
    assert all(part.role in {"tower", "cross_modal"} and not part.frozen for part in model.parts())


@pytest.mark.parametrize(
    ("setting", "overrides", "parts"),
    [
        ("freeze_text_encoder", {}, {"text_encoder"}),
        ("freeze_image_encoder", {}, {"image_encoder"}),
        ("freeze_cross_modal", {}, {"text_projection", "image_projection", "fuser"}),
        ("freeze_encoder", {"model_type": "one-tower"}, {"encoder"}),
    ],
)
def test_frozen_parts(
    setting: str, overrides: dict[str, Any], parts: set[str], tiny: Make, tokens: Tokens, pixels: Tensor
) -> None:
    """No gradients, evaluation mode for good, and gradients still reach what is below a frozen fuser."""
    model = build(tiny(**overrides, **{setting: True}))
    assert {part.name for part in model.parts() if part.frozen} == parts
    for mode in (True, False, True):
        model.train(mode)
        for part in model.parts():
            assert all(module.training == (mode and part.name not in parts) for module in part.module.modules())
    fused = run(model, tokens, pixels)
    sum(value.square().sum() for value in (fused.text, fused.image, fused.pooled) if value is not None).backward()  # type: ignore[union-attr]
    for part in model.parts():
        with_gradient = [parameter.grad is not None for parameter in part.module.parameters()]
        assert not any(with_gradient) if part.name in parts else all(with_gradient)


def test_frozen_tower_keeps_nothing_for_the_backward_pass(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build(tiny(freeze_image_encoder=True))
    assert not model.encode_image(pixels).hidden.requires_grad
    assert model.encode_text(tokens).hidden.requires_grad
    with torch.no_grad():
        assert not model.encode_text(tokens).hidden.requires_grad


@pytest.mark.parametrize("name", MODELS)
def test_model_is_rebuilt_from_its_configurations(name: str, tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    settings = tiny(**MODELS[name])
    model = build(settings).eval()
    randomise(model)
    configs = json.loads(json.dumps(model.encoder_configs()))
    again = build(settings, encoder_configs=configs).eval()
    report = load_weights(again, model.state_dict())
    assert not report.new
    assert not report.unused
    with torch.no_grad():
        before, after = run(model, tokens, pixels), run(again, tokens, pixels)
    assert torch.equal(before.pooled, after.pooled)  # type: ignore[arg-type]
    assert torch.equal(before.text, after.text)  # type: ignore[arg-type]


@torch.no_grad()
def test_rebuilding_needs_no_folder(from_folders: Make, save: Save, tokens: Tokens, pixels: Tensor) -> None:
    """A checkpoint of a model that began with pretrained folders, opened where those are gone, at larger sizes."""
    folders = {"text_encoder": save(reference("bert", TEXT)), "image_encoder": save(reference("vit", IMAGE))}
    settings = from_folders(**folders)
    model = build(settings).eval()
    for folder in folders.values():
        shutil.rmtree(folder)
    again = build(settings, encoder_configs=model.encoder_configs()).eval()
    load_weights(again, model.state_dict())
    torch.testing.assert_close(run(again, tokens, pixels).pooled, run(model, tokens, pixels).pooled)
    assert again.image_statistics is None

    larger = settings.model_copy(update={"image_size": 64, "max_text_len": 30})
    again = build(larger, encoder_configs=model.encoder_configs()).eval()
    report = load_weights(again, model.state_dict())
    assert sorted(report.resized) == [
        "image_encoder.encoder.embeddings.position_embeddings",
        "text_encoder.encoder.embeddings.position_embeddings.weight",
    ]
    assert again.encode_image(torch.randn(1, 3, 64, 64)).hidden.shape == (1, 65, 32)


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16(name: str, tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    """Under autocast it runs, forwards and backwards, and says about the same."""
    model = build(tiny(**MODELS[name]))
    model.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fused = run(model, tokens, pixels)
    assert fused.pooled is not None
    fused.pooled.float().sum().backward()
    torch.testing.assert_close(fused.pooled.float(), run(model, tokens, pixels).pooled, rtol=0.1, atol=0.05)
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())


def test_checkpoint_settings_that_contradict(tiny: Make) -> None:
    configs = build(tiny()).encoder_configs()
    with pytest.raises(UserError, match="patch_size = 16 contradicts"):
        build(tiny(patch_size=16), encoder_configs=configs)
    with pytest.raises(UserError, match="90 tokens"):
        build_model(tiny(), vocab_size=90, pad_id=0, text=True, image=False, encoder_configs=configs)


def test_a_side_that_the_checkpoint_lacks_is_what_the_settings_say(tiny: Make) -> None:
    configs = build(tiny()).encoder_configs()
    other = tiny(text_encoder_hidden_size=16, image_encoder_hidden_size=16)
    model = build(other, encoder_configs={"text_encoder": configs["text_encoder"]})
    assert (model.text_size, model.image_size) == (32, 16)


def test_image_statistics_follow_the_processor(from_folders: Make, save: Save, tiny: Make) -> None:
    folder = save(reference("vit", IMAGE))
    settings = from_folders(image_encoder=folder)
    assert build(settings, text=False).image_statistics is None
    processor = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1], "resample": 2}
    for values, expected in (
        (processor, ImageStatistics((0.5, 0.4, 0.3), (0.2, 0.2, 0.1), 2)),
        ({**processor, "image_std": [0, 0, 0]}, None),
        ({**processor, "image_mean": "x"}, None),
        ([], None),
    ):
        with open(f"{folder}/preprocessor_config.json", "w", encoding="utf-8") as file:
            json.dump(values, file)
        assert build(settings, text=False).image_statistics == expected
    assert build(tiny()).image_statistics is None


def test_original_image_size_is_said_of_the_first_weights_only(from_folders: Make, save: Save) -> None:
    settings = from_folders(image_encoder=save(reference("vit", IMAGE)), image_size=48, original_image_size=32)
    model = build(settings, text=False)
    again = build(settings, text=False, encoder_configs=model.encoder_configs())
    assert not load_weights(again, model.state_dict()).resized


def test_no_side_at_all(tiny: Make) -> None:
    with pytest.raises(UserError, match="neither images nor texts"):
        build(tiny(), text=False, image=False)
