"""A whole CLIP or SigLIP as two towers: features and logits are transformers' own, padded batches included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, PreTrainedModel, SiglipConfig, SiglipModel

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.towers.clip import JointTextEncoder
from renaissance.settings import Settings
from renaissance.tasks.behaviours.contrastive import ContrastiveTask
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from tests.models.references import IMAGE, randomise, reference

Make = Callable[..., Settings]
TEXT = {"vocab_size": 60, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 20, "pad_token_id": 1, "bos_token_id": 2,
        "eos_token_id": 3}  # fmt: skip
SIZES = {"clip": 24, "siglip": 32}
LENGTHS = (9, 4, 6)


def whole(family: str) -> Any:
    if family == "clip":
        model: Any = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=IMAGE, projection_dim=SIZES["clip"]))
    else:
        model = SiglipModel(SiglipConfig(text_config={**TEXT, "projection_size": 32}, vision_config=IMAGE))
    randomise(model)
    with torch.no_grad():
        model.logit_scale.fill_(1.7)
    return model.eval()


def settings_of(make: Make, folder: str, family: str, **others: Any) -> Settings:
    return make(clip_model=folder, contrastive_loss=family, contrastive_size=SIZES[family], max_text_len=12,
                image_size=32, loss_names={"contrastive": 1}, **others)  # fmt: skip


def build(settings: Settings, configs: dict[str, Any] | None = None) -> tuple[VisionLanguageEncoder, ContrastiveTask]:
    model = build_model(settings, vocab_size=60, pad_id=1, image=True, text=True, fused=False, encoder_configs=configs)
    task = ContrastiveTask(TaskContext(declaration_of("contrastive"), settings, model, None, None))
    return model.eval(), task.eval()


def texts() -> Tokens:
    """Three texts with a first and a last token, padded to the longest."""
    ids = torch.full((len(LENGTHS), max(LENGTHS)), 1)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.tensor([2, *torch.randint(4, 60, (length - 2,)), 3])
    return Tokens(ids, ids != 1, torch.zeros_like(ids))


def embedded(
    model: VisionLanguageEncoder, task: ContrastiveTask, tokens: Tokens, pixels: Tensor
) -> tuple[Tensor, Tensor]:
    """Text and image features in the joint space, before they are normalised."""
    pooled = frozenset(("pooled",))
    text = model.fuse(model.encode_text(tokens), None, pooled).pooled  # type: ignore[arg-type]
    image = model.fuse(None, model.encode_image(pixels), pooled).pooled  # type: ignore[arg-type]
    return task.text_projection(text), task.image_projection(image)


def theirs(family: str, model: Any, tokens: Tokens, pixels: Tensor) -> dict[str, Any]:
    """As transformers' own processors would hand texts over: a SigLIP's padded to their full length, without a mask."""
    if family == "clip":
        return {"input_ids": tokens.ids, "attention_mask": tokens.mask.long(), "pixel_values": pixels}
    full = torch.full((len(tokens.ids), 20), 1)
    full[:, : tokens.ids.shape[1]] = tokens.ids
    return {"input_ids": full, "pixel_values": pixels}


def check_equal(family: str, own: Any, model: VisionLanguageEncoder, task: ContrastiveTask, pixels: Tensor) -> None:
    tokens = texts()
    text, image = embedded(model, task, tokens, pixels)
    given = theirs(family, own, tokens, pixels)
    images = given.pop("pixel_values")
    torch.testing.assert_close(text, own.get_text_features(**given).pooler_output, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(image, own.get_image_features(images).pooler_output, rtol=1e-5, atol=1e-5)
    logits = task.scale * torch.nn.functional.normalize(text, dim=-1) @ torch.nn.functional.normalize(image, dim=-1).T
    expected = own(**given, pixel_values=images).logits_per_text
    torch.testing.assert_close(logits + (task.bias or 0), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", SIZES)
@torch.no_grad()
def test_features_and_logits_are_transformers(
    family: str, from_folders: Make, save: Callable[[PreTrainedModel], str], pixels: Tensor
) -> None:
    own = whole(family)
    settings = settings_of(from_folders, save(own), family)
    assert (settings.text_encoder, settings.image_encoder) == (settings.clip_model, settings.clip_model)
    model, task = build(settings)
    check_equal(family, own, model, task, pixels)
    # A checkpoint's model is built from what it remembers, with nothing fetched.
    again, head = build(settings_of(from_folders, "gone/away", family), model.encoder_configs())
    again.load_state_dict(model.state_dict())
    head.load_state_dict(task.state_dict())
    check_equal(family, own, again, head, pixels)
    parameters = sum(one.numel() for module in (model, task) for one in module.parameters())
    assert parameters == sum(one.numel() for one in own.parameters()), "nothing is left out and nothing added"


@pytest.mark.parametrize("family", SIZES)
def test_a_random_one_has_the_published_dimensions(family: str, from_folders: Make) -> None:
    name = {"clip": "openai/clip-vit-base-patch32", "siglip": "google/siglip-base-patch16-224"}[family]
    size = {"clip": 512, "siglip": 768}[family]
    random = {"random_init_text_encoder": True, "random_init_vision_encoder": True}
    settings = from_folders(clip_model=name, contrastive_loss=family, contrastive_size=size, image_size=224, **random)
    with torch.device("meta"):
        model, task = build(settings)
    assert model.text_size == {"clip": 512, "siglip": 768}[family]
    assert model.image_size == 768
    assert (task.text_projection.weight.shape if family == "clip" else (768, 768)) == (size, model.text_size)


@pytest.mark.parametrize("family", SIZES)
@torch.no_grad()
def test_a_random_one_reads_texts_to_their_end(
    family: str, from_folders: Make, save: Callable[[PreTrainedModel], str]
) -> None:
    """A CLIP's tokens see none behind them, which no other text encoder may do: its last one stands for the text."""
    random = {"random_init_text_encoder": True, "random_init_vision_encoder": True}
    model, _ = build(settings_of(from_folders, save(whole(family)), family, **random))
    tokens, changed = texts(), texts()
    changed.ids[:] = tokens.ids
    changed.ids[0, 1] += 1 if tokens.ids[0, 1] < 59 else -1
    first, second = (model.pool_text(model.encode_text(some).hidden, some.mask) for some in (tokens, changed))
    assert not torch.allclose(first[0], second[0])
    torch.testing.assert_close(first[1:], second[1:])


@pytest.mark.parametrize("random", [False, True])
@torch.no_grad()
def test_only_a_published_scale_goes_beyond_100(
    random: bool, from_folders: Make, save: Callable[[PreTrainedModel], str]
) -> None:
    switches = {"random_init_text_encoder": random, "random_init_vision_encoder": random}
    settings = settings_of(from_folders, save(whole("siglip")), "siglip", **switches)
    model, began = build(settings)
    _, again = build(settings, model.encoder_configs())  # as a checkpoint's
    for task in (began, again):
        task.log_scale.fill_(5.0)
        task.after_optimizer_step()
        assert task.scale == pytest.approx(100 if random else 148.4, rel=1e-3)


def test_padding_of_any_kind_is_the_models_own(from_folders: Make, save: Callable[[PreTrainedModel], str]) -> None:
    """What our batches have at padding, and how long they are, changes nothing."""
    model, _ = build(settings_of(from_folders, save(whole("siglip")), "siglip"))
    tower = model.text_encoder
    assert isinstance(tower, JointTextEncoder)
    tokens = texts()
    longer = Tokens(
        torch.nn.functional.pad(tokens.ids, (0, 2), value=7),
        torch.nn.functional.pad(tokens.mask, (0, 2)),
        torch.nn.functional.pad(tokens.words, (0, 2)),
    )
    with torch.no_grad():
        assert torch.equal(tower(tokens).hidden, tower(longer).hidden)


def test_what_does_not_go_with_the_model_is_refused(
    from_folders: Make, save: Callable[[PreTrainedModel], str], tmp_path: Path
) -> None:
    folder = save(whole("siglip"))
    with pytest.raises(
        UserError, match=r"a siglip model, which goes with contrastive_loss=siglip \(not clip\) and contr"
    ):
        build(from_folders(clip_model=folder, image_size=32, loss_names={"contrastive": 1}))
    with pytest.raises(UserError, match="is a vit model, neither a CLIP nor a SigLIP"):
        build(settings_of(from_folders, save(reference("vit", IMAGE)), "clip"))
    with pytest.raises(UserError, match="clip_model is two towers, and model_type=one-tower has one"):
        from_folders(clip_model=folder, model_type="one-tower")
    with pytest.raises(UserError, match="clip_model begins at random as a whole or not at all"):
        from_folders(clip_model=folder, random_init_text_encoder=True)


def test_one_of_its_towers_beside_another_encoder(
    from_folders: Make, save: Callable[[PreTrainedModel], str], pixels: Tensor
) -> None:
    """As `load_modules` brings it: it pools in its own way, the other as the settings say, and they share no space."""
    model, _ = build(settings_of(from_folders, save(whole("clip")), "clip"))
    configs = {"text_encoder": model.encoder_configs()["text_encoder"]}
    settings = from_folders(image_encoder=save(reference("vit", IMAGE)), max_text_len=12, image_size=32)
    mixed, task = build(settings, configs)
    assert mixed.joint_space is None
    text, image = embedded(mixed, task, texts(), pixels)
    assert text.shape == image.shape == (3, settings.contrastive_size)
    assert mixed.pool_whole_image is None
