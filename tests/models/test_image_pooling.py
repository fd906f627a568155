"""How an image alone becomes one vector, against positions that are picked by hand from transformers' own outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.models.build import build_model
from renaissance.models.image_positions import ImagePositions
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.late_fusion import LateFusion
from renaissance.settings import Settings
from tests.models.references import BEIT, CONVNEXT, IMAGE, SWIN, TEXT, randomise, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]

SIGLIP = {**IMAGE, "vision_use_head": False}
# Positions before the 16 patches of 32 x 32 pixels, as each architecture's paper has them.
SEQUENCES: list[tuple[str, dict[str, Any], int]] = [
    ("vit", IMAGE, 1),
    ("deit", IMAGE, 2),
    ("beit", {**BEIT, "use_mean_pooling": False}, 1),
    ("dinov2", IMAGE, 1),
    ("dinov2_with_registers", {**IMAGE, "num_register_tokens": 3}, 4),
    ("dinov3_vit", {**IMAGE, "num_register_tokens": 2}, 3),
    ("clip_vision_model", IMAGE, 1),
    ("siglip_vision_model", SIGLIP, 0),
]
CVT = {
    "embed_dim": [8, 16, 32],
    "depth": [1, 2, 3],  # transformers' own code asks of stage n for n layers at least
    "num_heads": [1, 2, 4],
    "patch_sizes": [3, 3, 3],
    "patch_stride": [2, 2, 2],
}


def build_image(settings: Settings) -> VisionLanguageEncoder:
    return build_model(settings, vocab_size=0, pad_id=0, image=True, text=False).eval()


def pooled_by(model: VisionLanguageEncoder, pixels: Tensor) -> Tensor:
    pooled = model.fuse(None, model.encode_image(pixels)).pooled
    assert pooled is not None
    return pooled


def by_hand(hidden: Tensor, pooling: str, before: int) -> Tensor:
    """The pooling of (B, P, D), position by position."""
    patches = [hidden[:, position] for position in range(before, hidden.shape[1])]
    if pooling == "cls" and before:
        return hidden[:, 0]
    if pooling == "max":
        return torch.stack(patches).max(0).values
    return torch.stack(patches).sum(0) / len(patches)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
@pytest.mark.parametrize(("model_type", "values", "before"), SEQUENCES)
@torch.no_grad()
def test_two_tower(
    model_type: str, values: dict[str, Any], before: int, pooling: str, from_folders: Make, save: Save, pixels: Tensor
) -> None:
    theirs = reference(model_type, values)
    model = build_image(from_folders(image_encoder=save(theirs), image_pooling=pooling))
    hidden = theirs(pixels).last_hidden_state
    assert hidden.shape[1] == before + 16
    torch.testing.assert_close(pooled_by(model, pixels), by_hand(hidden, pooling, before), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
@pytest.mark.parametrize(("model_type", "values", "before"), [("vit", IMAGE, 1), ("deit", IMAGE, 2)])
@torch.no_grad()
def test_one_tower_of_patches(
    model_type: str, values: dict[str, Any], before: int, pooling: str, from_folders: Make, save: Save, pixels: Tensor
) -> None:
    theirs = reference(model_type, values)
    model = build_image(from_folders(model_type="one-tower", encoder=save(theirs), image_pooling=pooling))
    nn.init.zeros_(model.type_embeddings.weight)  # type: ignore[arg-type,union-attr]
    expected = by_hand(theirs(pixels).last_hidden_state, pooling, before)
    torch.testing.assert_close(pooled_by(model, pixels), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
@torch.no_grad()
def test_one_tower_of_words(pooling: str, from_folders: Make, save: Save, pixels: Tensor) -> None:
    folder = save(reference("bert", TEXT))
    model = build_image(from_folders(model_type="one-tower", encoder=folder, patch_size=8, image_pooling=pooling))
    randomise(model)
    fused = model.fuse(None, model.encode_image(pixels))
    assert fused.image is not None
    torch.testing.assert_close(fused.pooled, by_hand(fused.image, pooling, before=1))


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
@pytest.mark.parametrize(("model_type", "values"), [("swin", SWIN), ("convnext", CONVNEXT), ("cvt", CVT)])
@torch.no_grad()
def test_without_a_class_position(
    model_type: str, values: dict[str, Any], pooling: str, from_folders: Make, save: Save, pixels: Tensor
) -> None:
    """Swin has none, ConvNeXt and CvT make maps (CvT hands its class vector out beside the map); a note says so."""
    theirs = reference(model_type, values)
    model = build_image(from_folders(image_encoder=save(theirs), image_pooling=pooling))
    hidden = model.encode_image(pixels).hidden
    torch.testing.assert_close(pooled_by(model, pixels), by_hand(hidden, pooling, 0), rtol=1e-4, atol=1e-5)
    assert ["has no class position" in note for note in model.notes] == [True] * (pooling == "cls")


@torch.no_grad()
def test_late_fusion_joins_the_pooled_image(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    model = build_model(
        tiny(model_type="late-fusion", image_pooling="max"), vocab_size=60, pad_id=0, text=True, image=True
    ).eval()
    assert isinstance(model, LateFusion)
    randomise(model)
    text, image = model.encode_text(tokens), model.encode_image(pixels)
    text_alone = model.fuse(text, None).pooled
    assert text_alone is not None
    assert model.pair_pooler is not None
    assert model.image_positions == ImagePositions(has_class=True, before=1)
    joined = torch.cat((text_alone, by_hand(image.hidden, "max", 1)), -1)
    torch.testing.assert_close(model.fuse(text, image).pooled, torch.tanh(model.pair_pooler(joined)))


@torch.no_grad()
def test_a_pair_is_pooled_as_before(tiny: Make, tokens: Tokens, pixels: Tensor) -> None:
    """The setting is of images alone: a fuser's or a one-tower's pair keeps its own pooler."""
    for model_type in ("two-tower", "one-tower"):
        pooled = []
        for pooling in ("cls", "mean"):
            torch.manual_seed(0)
            settings = tiny(model_type=model_type, image_pooling=pooling)
            model = build_model(settings, vocab_size=60, pad_id=0, text=True, image=True).eval()
            pooled.append(model.fuse(model.encode_text(tokens), model.encode_image(pixels)).pooled)
        torch.testing.assert_close(pooled[0], pooled[1], rtol=0, atol=0)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_only_patches_are_read_and_all_of_them(pooling: str, tiny: Make, pixels: Tensor) -> None:
    model = build_image(tiny(image_pooling=pooling))
    hidden = model.encode_image(pixels).hidden.detach()
    if pooling == "max":  # each patch has the greatest value of some feature
        hidden = hidden + 100 * torch.eye(hidden.shape[1], hidden.shape[2])
    hidden.requires_grad_()
    model.pool_image(hidden).sum().backward()
    assert hidden.grad is not None
    reached = hidden.grad.abs().sum((0, 2)) > 0
    assert reached.tolist() == [False, *[True] * 16]
