"""Contrastive learning: the losses are those of transformers, what is no negative is left out, the scale has bounds."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from renaissance.models.interface import Fused
from renaissance.tasks.common.contrastive_losses import sigmoid_losses, softmax_losses, stand_together
from renaissance.training.optimizers.groups import parameter_groups
from tests.tasks.conftest import picture, write_table

PAIRS, WIDTH = 6, 32  # WIDTH is that of the tiny towers
SMALL = {"hidden_size": WIDTH, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT = {**SMALL, "vocab_size": 20, "max_position_embeddings": 7, "eos_token_id": 2, "pad_token_id": 1}
VISION = {**SMALL, "image_size": 8, "patch_size": 4}


def inputs() -> dict[str, Tensor]:
    torch.manual_seed(0)
    ids = torch.randint(3, 20, (PAIRS, 7))
    ids[:, -1] = 2
    return {"input_ids": ids, "pixel_values": torch.randn(PAIRS, 3, 8, 8)}


def step_of(text: Tensor, image: Tensor, identifiers: dict[str, Tensor] | None = None) -> SimpleNamespace:
    """A step whose pooled features another model made."""
    own = torch.arange(len(text))
    pooled = SimpleNamespace(fuse=lambda one, other, outputs: Fused(pooled=one if other is None else other))
    batch = SimpleNamespace(collated={"contrastive": identifiers or {"text_id": own, "image_id": own}})
    return SimpleNamespace(model=pooled, text=text, image=image, batch=batch, joint=None)


def gradients(loss: Tensor, *tensors: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, tensors, retain_graph=True))


def test_the_loss_is_that_of_transformers_clip(ask):
    clip = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)).eval()
    with torch.no_grad():
        clip.logit_scale.fill_(1.3)
    theirs = clip(**inputs(), return_loss=True)
    task = ask("contrastive", contrastive_size=16).task
    with torch.no_grad():
        task.text_projection.weight.copy_(clip.text_projection.weight)
        task.image_projection.weight.copy_(clip.visual_projection.weight)
        task.log_scale.fill_(1.3)
    text = clip.text_model(inputs()["input_ids"]).pooler_output  # before they are projected
    image = clip.vision_model(inputs()["pixel_values"]).pooler_output
    ours = task(step_of(text, image))
    torch.testing.assert_close(ours.loss, theirs.loss)
    for own, their in zip(
        gradients(ours.loss, task.log_scale, task.text_projection.weight, task.image_projection.weight),
        gradients(theirs.loss, clip.logit_scale, clip.text_projection.weight, clip.visual_projection.weight),
        strict=True,
    ):
        torch.testing.assert_close(own, their)


def test_the_loss_is_that_of_transformers_siglip(ask):
    siglip = SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VISION)).eval()
    theirs = siglip(**inputs(), return_loss=True)
    task = ask("contrastive", contrastive_size=WIDTH, contrastive_loss="siglip").task
    with torch.no_grad():
        torch.nn.init.eye_(task.text_projection.weight)
        torch.nn.init.eye_(task.image_projection.weight)
        task.log_scale.copy_(siglip.logit_scale[0])
        task.logit_bias.copy_(siglip.logit_bias[0])
    text, image = theirs.text_model_output.pooler_output, theirs.vision_model_output.pooler_output
    ours = task(step_of(text, image))
    torch.testing.assert_close(ours.loss, theirs.loss)
    for own, their in zip(
        gradients(ours.loss, text, image, task.log_scale, task.logit_bias),
        gradients(theirs.loss, text, image, siglip.logit_scale, siglip.logit_bias),
        strict=True,
    ):
        torch.testing.assert_close(own, their.squeeze())


def test_the_beginning_is_that_of_the_papers(ask):
    clip, siglip = (ask("contrastive", contrastive_loss=loss).task for loss in ("clip", "siglip"))
    assert (clip.scale, clip.bias) == (pytest.approx(1 / 0.07), None)
    assert (siglip.scale, siglip.bias) == (pytest.approx(10), -10)


def test_what_is_known_to_belong_together():
    """Pairs 0 and 1: one image, "a" and "b". Pair 2: another image, "b". Pair 3: that image, "c". Pair 4: none."""
    text, image = torch.tensor([11, 12, 12, 13, 14]), torch.tensor([1, 1, 2, 2, 3])
    expected = torch.tensor(
        [
            [1, 1, 0, 0, 0],  # "a" is known of the first image
            [1, 1, 1, 1, 0],  # "b" of both
            [1, 1, 1, 1, 0],
            [0, 0, 1, 1, 0],
            [0, 0, 0, 0, 1],
        ]
    ).bool()
    assert torch.equal(stand_together(text, image), expected)
    assert torch.equal(stand_together(text - 2**62, -image * 2**61), expected), "any numbers of 64 bits"


def test_what_is_left_out_is_in_no_denominator_and_no_sum():
    torch.manual_seed(1)
    logits = torch.randn(3, 3, dtype=torch.float64)
    left_out = torch.tensor([[0, 1, 0], [0, 0, 0], [0, 0, 0]]).bool()
    e = logits.exp()
    own = logits.diagonal()
    of_texts = torch.stack([e[0, [0, 2]].sum(), e[1].sum(), e[2].sum()]).log() - own
    of_images = torch.stack([e[:, 0].sum(), e[[1, 2], 1].sum(), e[:, 2].sum()]).log() - own
    torch.testing.assert_close(softmax_losses(logits, left_out), (of_texts + of_images) / 2)
    each = torch.log1p((-logits * (2 * torch.eye(3) - 1)).exp())
    each[0, 1] = 0
    torch.testing.assert_close(sigmoid_losses(logits, left_out), each.sum(1))


@pytest.mark.parametrize("loss", ["clip", "siglip"])
def test_captions_of_an_image_and_equal_captions_do_not_drive_each_other_apart(ask, tmp_path, loss):
    """By the pull on each text's features of the images that it is compared with: none of those that it belongs to."""
    images = [picture(0), picture(1), picture(2), picture(0)]  # the last is the first again, as joined tables may have
    write_table(tmp_path / "sixteen_train.arrow", {
        "image": images, "caption": [["a b", "c d"], ["A b!"], ["e f"], ["g h"]]})  # fmt: skip
    belongs = torch.tensor([
        [1, 1, 1, 0, 1], [1, 1, 0, 0, 1], [1, 1, 1, 0, 1], [0, 0, 0, 1, 0], [1, 1, 0, 0, 1]]).bool()  # fmt: skip

    def pulls(**settings) -> Tensor:
        asked = ask("contrastive", root=tmp_path, contrastive_size=5, contrastive_loss=loss, **settings)
        contributed = dict(asked.task.contribute(asked.step()))
        contributed["text"] = F.normalize(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)), dim=-1)
        contributed["text"].requires_grad_()
        contributed["image"] = torch.eye(5)  # an image a coordinate
        (pull,) = gradients(asked.task.loss_over(contributed).loss, contributed["text"])
        return pull

    own = torch.eye(5).bool()
    assert ((pulls() == 0) == (belongs & ~own)).all()
    assert (pulls(mask_false_negatives=False) != 0).all()


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower", "late-fusion"])
def test_no_part_is_built_that_lets_the_sides_see_each_other(ask, model_type):
    parts = {part.name for part in ask("contrastive", model_type=model_type).model.parts()}
    assert parts == ({"encoder", "image_embeddings", "type_embeddings"} if model_type == "one-tower"
                     else {"text_encoder", "image_encoder"})  # fmt: skip


def test_identifiers_are_the_same_in_any_batch_and_order(ask):
    asked = ask("contrastive", training=True)
    whole = asked.step([3, 5, 7]).batch.collated["contrastive"]
    for place, index in enumerate([3, 5, 7]):
        alone = asked.step([index]).batch.collated["contrastive"]
        for name in ("text_id", "image_id"):
            assert alone[name].dtype == torch.long
            assert alone[name][0] == whole[name][place]
    assert len({*whole["text_id"].tolist(), *whole["image_id"].tolist()}) == 6


def test_dropout_is_on_the_projection_and_in_training_only(ask):
    asked = ask("contrastive", contrastive_drop_rate=0.5)
    step = asked.step()
    assert torch.equal(asked.task.embed_text(step), asked.task.embed_text(step))
    asked.task.train()
    assert not torch.equal(asked.task.embed_text(step), asked.task.embed_text(step))
    torch.testing.assert_close(asked.task.embed_image(step).norm(dim=-1), torch.ones(16))


def test_the_scale_stays_within_bounds_and_does_not_decay(ask):
    asked = ask("contrastive", contrastive_loss="siglip", weight_decay=0.2)
    (part,) = asked.task.parts()
    groups = parameter_groups([part], asked.settings)
    spared = {id(one) for group in groups if not group["weight_decay"] for one in group["params"]}
    assert spared == {id(asked.task.log_scale), id(asked.task.logit_bias)}
    for outside, bound in ((9.0, math.log(100)), (-1.0, 0.0)):
        asked.task.log_scale.data.fill_(outside)
        asked.task.after_optimizer_step()
        assert asked.task.log_scale.item() == pytest.approx(bound)


@torch.no_grad()
def test_a_pairs_similarity_is_the_cosine_and_its_probability_the_sigmoids(ask):
    for loss in ("clip", "siglip"):
        asked = ask("contrastive", contrastive_loss=loss)
        step = asked.step()
        cosines = (asked.task.embed_text(step) * asked.task.embed_image(step)).sum(-1)
        said = asked.task.answers(step)
        assert [one["similarity"] for one in said] == pytest.approx(cosines.tolist(), abs=1e-6)
        if loss == "clip":
            assert all(one.keys() == {"similarity"} for one in said), "a softmax gives a single pair no probability"
        else:
            expected = torch.sigmoid(asked.task.scale * cosines + asked.task.bias)
            assert [one["probability"] for one in said] == pytest.approx(expected.tolist(), rel=1e-4)
