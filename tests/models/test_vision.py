"""The image tower against transformers' own models with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import PreTrainedModel

from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.image_positions import ImagePositions
from renaissance.models.towers.image import VisionEncoder
from renaissance.models.two_tower import TwoTower
from renaissance.settings import Settings
from tests.models.references import BEIT, CONVNEXT, IMAGE, RESNET, SWIN, TEXT, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
SEQUENCES = [("vit", IMAGE), ("deit", IMAGE), ("beit", {**BEIT, "use_mean_pooling": False}), ("dinov2", IMAGE)]


def build_image(settings: Settings) -> TwoTower:
    model = build_model(settings, vocab_size=0, pad_id=0, image=True, text=False)
    assert isinstance(model, TwoTower)
    return model


def own_encoder(model: TwoTower) -> Any:
    assert model.image_encoder is not None
    return model.image_encoder.encoder


@pytest.mark.parametrize(("model_type", "values"), [*SEQUENCES, ("swin", SWIN)])
@torch.no_grad()
def test_sequences_equal_transformers(
    model_type: str, values: dict[str, Any], from_folders: Make, save: Save, pixels: Tensor
) -> None:
    model = reference(model_type, values)
    loaded = build_image(from_folders(image_encoder=save(model))).eval()
    features = loaded.encode_image(pixels)
    torch.testing.assert_close(features.hidden, model(pixels).last_hidden_state, rtol=1e-4, atol=1e-5)
    assert features.mask.all()
    assert loaded.image_size == features.hidden.shape[-1] == 32
    pooled = loaded.fuse(None, features).pooled
    assert pooled is not None
    summary = features.hidden.mean(1) if model_type == "swin" else features.hidden[:, 0]
    assert torch.equal(pooled, summary)


@pytest.mark.parametrize(("model_type", "values"), [("convnext", CONVNEXT), ("resnet", RESNET)])
@torch.no_grad()
def test_feature_maps_are_flattened(model_type: str, values: dict[str, Any], pixels: Tensor) -> None:
    model = reference(model_type, values)
    encoder = VisionEncoder(model, image_size=32)
    output = model(pixels)
    maps = output.last_hidden_state  # (B, D, rows, columns)
    rows, columns = maps.shape[2:]
    hidden = encoder(pixels).hidden
    assert hidden.shape == (3, rows * columns, 32)
    expected = maps[:, :, -1, 0]
    if model_type == "convnext":  # transformers norms the average over positions, we norm the positions
        expected = model.layernorm(expected)
    torch.testing.assert_close(hidden[:, (rows - 1) * columns], expected, rtol=1e-4, atol=1e-5)
    assert encoder.positions == ImagePositions()


@torch.no_grad()
def test_mean_pooled_beit_is_normed(from_folders: Make, save: Save, pixels: Tensor) -> None:
    """Its last norm is in the pooler: transformers norms the mean, we norm the positions."""
    model = reference("beit", BEIT)
    loaded = build_image(from_folders(image_encoder=save(model))).eval()
    expected = model.pooler.layernorm(model(pixels).last_hidden_state)
    torch.testing.assert_close(loaded.encode_image(pixels).hidden, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("model_type", ["vit", "deit"])
@pytest.mark.parametrize("image_size", [48, 16])
@torch.no_grad()
def test_another_image_size_equals_transformers_interpolation(
    model_type: str, image_size: int, from_folders: Make, save: Save
) -> None:
    model = reference(model_type, IMAGE)
    loaded = build_image(from_folders(image_encoder=save(model), image_size=image_size)).eval()
    images = torch.randn(2, 3, image_size, image_size)
    expected = model(images, interpolate_pos_encoding=True).last_hidden_state
    torch.testing.assert_close(loaded.encode_image(images).hidden, expected, rtol=1e-4, atol=1e-5)
    assert own_encoder(loaded).config.image_size == image_size
    assert len(loaded.notes) == 1
    assert "position_embeddings" in loaded.notes[0]


def test_beit_bias_tables_are_resized(from_folders: Make, save: Save) -> None:
    model = reference("beit", BEIT)
    loaded = build_image(from_folders(image_encoder=save(model), image_size=48))
    assert len(loaded.notes) == 2  # one table a layer
    old = model.layers[1].relative_position_bias.relative_position_bias_table.detach()
    new = own_encoder(loaded).layers[1].relative_position_bias.relative_position_bias_table.detach()
    places = old[:-3].T.reshape(1, 4, 7, 7)  # heads, rows, columns: a grid of 4 has 7 distances on a side
    expected = interpolate(places, size=(11, 11), mode="bicubic", align_corners=False)
    torch.testing.assert_close(new[:-3], expected.reshape(4, 121).T)
    assert torch.equal(new[-3:], old[-3:])
    assert loaded.encode_image(torch.randn(1, 3, 48, 48)).hidden.shape == (1, 37, 32)


def test_image_and_patch_size_reach_a_random_encoder(tiny: Make) -> None:
    model = build_image(tiny(image_size=48, patch_size=16, image_encoder_drop_rate=0.2))
    config = own_encoder(model).config
    assert (config.image_size, config.patch_size, config.hidden_size) == (48, 16, 32)
    assert config.hidden_dropout_prob == 0.2
    assert model.encode_image(torch.randn(1, 3, 48, 48)).hidden.shape == (1, 10, 32)


def test_clip_gives_its_vision_half(from_folders: Make, save: Save, pixels: Tensor) -> None:
    model = reference("clip", {"vision_config": IMAGE, "text_config": {**TEXT}, "projection_dim": 8})
    loaded = build_image(from_folders(image_encoder=save(model))).eval()
    with torch.no_grad():
        expected = model.vision_model(pixels).last_hidden_state
        torch.testing.assert_close(loaded.encode_image(pixels).hidden, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"patch_size": 16}, r"patch_size = 16 contradicts .* have 8"),
        ({"original_image_size": 224}, r"original_image_size = 224 contradicts .* have 32"),
        ({"image_size": 36}, r"image_size = 36 is no multiple of the patch size 8.* Take 32 or 40"),
    ],
)
def test_settings_that_contradict_the_weights(
    overrides: dict[str, int], message: str, from_folders: Make, save: Save
) -> None:
    folder = save(reference("vit", IMAGE))
    with pytest.raises(UserError, match=message):
        build_image(from_folders(image_encoder=folder, **overrides))
    build_image(from_folders(image_encoder=folder, patch_size=8, original_image_size=32))


def test_manual_dimensions_do_not_describe_a_swin(tiny: Make) -> None:
    with pytest.raises(UserError, match="manual dimensions do not describe it"):
        build_image(tiny(image_encoder="microsoft/swin-tiny-patch4-window7-224"))


def test_image_too_small_for_the_encoder(tiny: Make) -> None:
    settings = tiny(
        image_encoder="microsoft/swin-tiny-patch4-window7-224", image_encoder_manual_configuration=False, patch_size=4
    )
    with pytest.raises(UserError, match=r"swin model cannot take images of 32 x 32"):
        build_image(settings)


def test_text_encoder_is_no_vision_encoder(tiny: Make) -> None:
    with pytest.raises(UserError, match="not a vision encoder"):
        build_image(tiny(image_encoder="bert-base-uncased"))
