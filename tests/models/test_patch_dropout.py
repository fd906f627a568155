"""Patch dropout: what stays is encoded as transformers encodes that subset alone; who cannot do it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.patch_dropout import PatchDropout, check_takes_some_patches
from renaissance.settings import Settings
from tests.models.references import BEIT, CONVNEXT, IMAGE, SWIN, TEXT, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]
CLIP = {**IMAGE, "projection_dim": 16}
# What comes before the patches: class positions, and DeiT's distillation position.
TAKING = [("vit", IMAGE, 1), ("deit", IMAGE, 2), ("dinov2", IMAGE, 1), ("clip_vision_model", CLIP, 1),
          ("siglip_vision_model", IMAGE, 0)]  # fmt: skip


def by_transformers(model: Any, pixels: Tensor, chosen: Tensor) -> Tensor:
    """The layers and the last norm of a model of transformers over some positions (B, N) of its embeddings."""
    embedded = model.embeddings(pixels)
    hidden = torch.stack([image[places] for image, places in zip(embedded, chosen, strict=True)])
    if hasattr(model, "pre_layrnorm"):
        hidden = model.pre_layrnorm(hidden)
    layers = getattr(model, "layers", None) or getattr(model.encoder, "layer", None) or model.encoder.layers
    for layer in layers:
        hidden = layer(hidden) if "attention_mask" not in type(layer).forward.__annotations__ else layer(hidden, None)
    if hasattr(model, "pre_layrnorm"):  # CLIP norms its class position alone
        return hidden
    norm = getattr(model, "layernorm", None) or model.post_layernorm
    return norm(hidden)


@pytest.mark.parametrize(("model_type", "values", "before"), TAKING, ids=lambda value: str(value)[:12])
@torch.no_grad()
def test_what_stays_is_encoded_as_that_subset(
    model_type: str, values: dict[str, Any], before: int, from_folders: Make, save: Save, pixels: Tensor
) -> None:
    model = reference(model_type, {**values, "hidden_dropout_prob": 0.0})
    settings = from_folders(image_encoder=save(model), patch_dropout=0.5)
    encoder = build_model(settings, vocab_size=0, pad_id=0, image=True, text=False)
    everything = encoder.eval().encode_image(pixels).hidden
    torch.testing.assert_close(everything, model(pixels).last_hidden_state, rtol=1e-4, atol=1e-5)
    patches = everything.shape[1] - before
    torch.manual_seed(3)
    found = encoder.train().encode_image(pixels)
    assert found.hidden.shape[1] == before + patches // 2 == found.mask.shape[1]
    torch.manual_seed(3)
    chosen = torch.rand(len(pixels), patches).argsort(dim=1, descending=True)[:, : patches // 2].sort(dim=1).values
    assert not torch.equal(chosen[0], chosen[1]), "each image its own"
    places = torch.cat((torch.arange(before).expand(len(pixels), -1), chosen + before), dim=1)
    torch.testing.assert_close(found.hidden, by_transformers(model, pixels, places), rtol=1e-4, atol=1e-5)
    assert not torch.equal(encoder.encode_image(pixels).hidden, found.hidden), "another draw, other patches"


@pytest.mark.parametrize(
    ("model_type", "values"), [("swin", SWIN), ("beit", BEIT), ("convnext", CONVNEXT)], ids=["swin", "beit", "convnext"]
)
def test_encoders_that_need_every_patch_are_refused(
    model_type: str, values: dict[str, Any], from_folders: Make, save: Save
) -> None:
    folder = save(reference(model_type, values))
    settings = from_folders(image_encoder=folder, patch_dropout=0.5)
    with pytest.raises(
        UserError, match=f"patch_dropout: the layers of a {model_type} model have to know where a patch"
    ):
        build_model(settings, vocab_size=0, pad_id=0, image=True, text=False)
    build_model(from_folders(image_encoder=folder), vocab_size=0, pad_id=0, image=True, text=False)


@pytest.mark.parametrize("encoder", ["vit", "bert"])
def test_a_one_tower_leaves_patches_out_too(encoder: str, from_folders: Make, save: Save, pixels: Tensor) -> None:
    values = IMAGE if encoder == "vit" else TEXT
    settings = from_folders(model_type="one-tower", encoder=save(reference(encoder, values)), patch_dropout=0.75,
                            patch_size=None if encoder == "vit" else 8)  # fmt: skip
    model = build_model(settings, vocab_size=60, pad_id=0, image=True, text=True)
    everything = model.eval().encode_image(pixels)
    features = model.train().encode_image(pixels)
    patches = everything.hidden.shape[1] - 1
    assert features.hidden.shape[1] == features.mask.shape[1] == 1 + patches // 4
    fused = model.fuse(None, features)
    assert fused.image is not None
    assert fused.image.shape == features.hidden.shape


def test_a_beit_as_one_tower_is_refused(from_folders: Make, save: Save) -> None:
    settings = from_folders(model_type="one-tower", encoder=save(reference("beit", BEIT)), patch_dropout=0.5)
    with pytest.raises(UserError, match="patch_dropout: the layers of a beit model"):
        build_model(settings, vocab_size=60, pad_id=0, image=True, text=True)


def test_each_patch_stays_as_often_as_another_and_one_always_does() -> None:
    dropout = PatchDropout(0.75, before=1).train()
    places = torch.arange(9.0).expand(4000, -1)[..., None]
    stay = dropout(places)[..., 0]
    assert stay.shape == (4000, 3)
    assert (stay[:, 0] == 0).all(), "the class position"
    assert (stay.diff(dim=1) > 0).all(), "in their order, each once"
    counts = stay[:, 1:].long().flatten().bincount()[1:]
    assert counts.tolist() == pytest.approx([1000] * 8, abs=150)  # of a binomial spread of 27
    assert PatchDropout(0.99, before=1).train()(places).shape == (4000, 2, 1)
    assert torch.equal(dropout.eval()(places), places)


def test_a_frozen_image_encoder_sees_every_patch(make_settings: Make) -> None:
    with pytest.raises(UserError, match=r"patch_dropout=0\.5 is for an image encoder that is trained"):
        make_settings(patch_dropout=0.5, freeze_image_encoder=True, random_init_vision_encoder=False)


def test_layers_that_see_an_order_are_refused_though_they_take_fewer_patches() -> None:
    def embed() -> Tensor:
        return torch.randn(1, 6, 4, generator=torch.Generator().manual_seed(0))

    check_takes_some_patches(embed, lambda hidden: hidden * hidden.mean(dim=1, keepdim=True), 1, "a plain model")
    with pytest.raises(UserError, match="the layers of a recurrent model have to know where a patch stands"):
        check_takes_some_patches(embed, lambda hidden: hidden.cumsum(dim=1), 1, "a recurrent model")
