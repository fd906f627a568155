"""A model's joint space in Python: the vectors that training compares, for any batch, and what to do with them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import renaissance
from renaissance.errors import UserError

TEXTS = ["a red circle", "one small green triangle left of two large yellow squares below a blue circle", "circle"]


@pytest.fixture(scope="module", params=["two-tower", "one-tower"])
def model(trained, request):
    return renaissance.load(trained("task_clip_scenes", model_type=request.param, batch_size=8, per_gpu_batchsize=8))


def test_vectors_are_the_projected_pooled_ones(model, rows):
    """By hand from the public features and the head's weights; also one by one, unpadded."""
    head = model.tasks["contrastive"]
    pictures = [row["image"] for row in rows("scenes_val")[:3]]
    texts, images = model.embed_text(TEXTS), model.embed_image(pictures)
    assert texts.shape == images.shape == (3, model.settings.contrastive_size)
    by_hand = F.normalize(model.encode_text(TEXTS) @ head.text_projection.weight.T, dim=-1)
    torch.testing.assert_close(texts, by_hand)
    torch.testing.assert_close(
        images, F.normalize(model.encode_image(pictures) @ head.image_projection.weight.T, dim=-1)
    )
    torch.testing.assert_close(torch.cat([model.embed_text([text]) for text in TEXTS]), texts, atol=1e-5, rtol=0)
    assert model.embed_text([]).shape == model.embed_image([]).shape == (0, model.settings.contrastive_size)
    said = model.predict(
        [{"image": one, "text": text} for one, text in zip(pictures, TEXTS, strict=True)], "contrastive"
    )
    assert [one["similarity"] for one in said] == pytest.approx((texts * images).sum(-1).tolist(), abs=1e-5)
    assert model.bias is None
    assert "probability" not in said[0], "a softmax gives a single pair none"
    assert model.scale == pytest.approx(1 / 0.07, rel=0.01)


def test_a_model_without_one_says_what_would_have_it(pretrained):
    model = renaissance.load(pretrained())
    assert model.scale is model.bias is None
    for embed in (model.embed_text, model.embed_image):
        with pytest.raises(UserError, match="no joint space of texts and images: it was trained on itm, mlm"):
            embed(["a"])
