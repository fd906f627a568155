"""RefCOCO: boxes are cut where they lie, also in turned photographs, and padding is no candidate."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from renaissance.errors import UserError
from renaissance.models.interface import Fused
from renaissance.tasks.behaviours.referring_expressions import NO_BOX
from tests.tasks.conftest import write_table

BOXES = [[[4, 2, 20, 10], [30, 20, 10, 16]], [[0, 0, 12, 40], [12, 0, 30, 9], [1, 30, 47, 10], [30, 30, 20, 20]]]
TURNED = 6  # EXIF: to be turned by 90 degrees clockwise
SIZE = (48, 40)


def photograph(number: int, orientation: int | None = None) -> bytes:
    noise = np.random.default_rng(number).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format="PNG", exif=exif)
    return buffer.getvalue()


def write(root, images=None, boxes=BOXES, labels=(1, 3)):
    columns = {
        "image": images or [photograph(0), photograph(1)],
        "sentences": [["the left one", "not the right one"], ["that below"]],
        "bboxes": boxes,
        "labels": list(labels),
    }
    write_table(root / "ref_train.arrow", columns)


def upright(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    return image.transpose(Image.Transpose.ROTATE_270) if image.getexif().get(0x0112) == TURNED else image


@pytest.mark.parametrize("orientation", [None, TURNED])
def test_boxes_are_cut_where_they_lie(ask, tmp_path, orientation):
    images = [photograph(0, orientation), photograph(1, orientation)]
    write(tmp_path, images)
    batch = ask("ref", root=tmp_path).step().batch
    rows, geometry = batch.collated["ref"]["box"], batch.collated["ref"]["geometry"]
    for example, image in enumerate([0, 0, 1]):  # the first image has two phrases
        picture = upright(images[image])
        for place, (left, upper, width, height) in enumerate(BOXES[image]):
            part = (left, upper, min(left + width, picture.width), min(upper + height, picture.height))
            expected = picture.resize((32, 32), Image.Resampling.BICUBIC, box=part)
            found = batch.pixels[rows[example, place]].permute(1, 2, 0).numpy()
            assert np.array_equal(found, np.asarray(expected)), (example, place)
            shares = np.array([left, upper, left + width, upper + height]) / np.tile(picture.size, 2)
            expected_geometry = [*shares, width * height / (picture.width * picture.height)]
            assert geometry[example, place].tolist() == pytest.approx(expected_geometry)
    assert rows[:2, 2:].eq(NO_BOX).all()
    assert torch.equal(rows[0], rows[1]), "two phrases of an image share what is cut out of it"


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@torch.no_grad()
def test_padding_is_no_candidate(ask, tmp_path, model_type):
    write(tmp_path)
    asked = ask("ref", root=tmp_path, model_type=model_type)
    step = asked.step()
    together, answers = asked.task(step).values, asked.task.answers(step)
    alone = [asked.step([number]) for number in range(3)]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([asked.task(one).values[name] for one in alone]))
    assert [len(answer["probabilities"]) for answer in answers] == [2, 2, 4]
    for answer, one in zip(answers, alone, strict=True):
        (single,) = asked.task.answers(one)
        assert answer["answer"] == single["answer"]
        assert answer["probabilities"] == pytest.approx(single["probabilities"], abs=1e-5)
        assert sum(answer["probabilities"]) == pytest.approx(1)


@torch.no_grad()
def test_the_order_of_the_boxes_does_not_matter(ask, tmp_path):
    write(tmp_path)
    losses = ask("ref", root=tmp_path)
    before = losses.task(losses.step()).values["loss"]
    write(tmp_path, boxes=[one[::-1] for one in BOXES], labels=(0, 0))
    after = ask("ref", root=tmp_path)
    torch.testing.assert_close(after.task(after.step()).values["loss"], before)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@torch.no_grad()
def test_the_phrase_is_read_beside_the_pair(ask, tmp_path, monkeypatch, model_type, pooling):
    """Where every pair is the same, a phrase and the boxes' places still tell boxes apart, each phrase its own way."""
    write(tmp_path)
    asked = ask("ref", root=tmp_path, model_type=model_type, text_pooling=pooling)
    fuse = asked.model.fuse

    def same_of_pairs(text, image, outputs):
        if image is None:
            return fuse(text, image, outputs)
        return Fused(pooled=torch.ones(len(text.hidden), asked.model.pooled_size))

    monkeypatch.setattr(asked.model, "fuse", same_of_pairs)
    first, second, _ = asked.task.scores(asked.step())
    assert (first[0] - first[1]).abs() > 1e-5, "the places differ"
    assert (first[:2] - second[:2]).abs().min() > 1e-5, "the phrases differ, and the boxes do not"


@pytest.mark.parametrize(("boxes", "labels"), [(BOXES, (2, 0)), ([[], BOXES[1]], (0, 0))])
def test_a_box_that_is_meant_has_to_be_there(ask, tmp_path, boxes, labels):
    write(tmp_path, boxes=boxes, labels=labels)
    with pytest.raises(UserError, match=rf"ref_train.arrow, row 0: a phrase means box {labels[0]}, .* there are"):
        ask("ref", root=tmp_path).step()


def test_an_image_that_cannot_be_read_is_told(ask, tmp_path):
    write(tmp_path, images=[photograph(0), b"no image"])
    with pytest.raises(UserError, match=r"ref_train.arrow, row 1: the image cannot be read"):
        ask("ref", root=tmp_path).step([2])
