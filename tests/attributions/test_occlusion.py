"""Occlusion's values are what is computed by hand, for every task, and on trained models they point at what decides."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import renaissance
from renaissance.attributions import occlusion
from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import pad_texts
from renaissance.errors import UserError
from renaissance.models.interface import Features
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task

TASKS = {  # task: its named configuration, its table, and how an example is made of a row
    "vqa": ("task_finetune_vqa", "scenes_vqa_val", lambda row: {"image": row["image"], "text": row["questions"][0]}),
    "nlvr2": (
        "task_finetune_nlvr2",
        "scenes_nlvr2_val",
        lambda row: {"image": row["image_0"], "second_image": row["image_1"], "text": row["questions"][0]},
    ),
    "ref": (
        "task_finetune_ref",
        "scenes_ref_val",
        lambda row: {"image": row["image"], "text": row["sentences"][0], "boxes": row["bboxes"]},
    ),
    "mrpc": ("task_finetune_mrpc", "scenes_mrpc_val", lambda row: {"text": row["text_a"], "text_pair": row["text_b"]}),
    "irtr": ("task_finetune_irtr", "scenes_val", lambda row: {"image": row["image"], "text": row["caption"][0]}),
    "contrastive": ("task_clip_scenes", "scenes_val", lambda row: {"image": row["image"], "text": row["caption"][0]}),
    "caption": ("task_foundation_captioning", "scenes_val", lambda row: {"image": row["image"]}),
}


@pytest.fixture
def pair(pretrained, rows):
    """A model of MLM and ITM, and an example for it."""
    model = renaissance.load(pretrained())
    row = rows("scenes_val")[0]
    return model, {"image": row["image"], "text": row["caption"][0]}


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_of_a_linear_model_of_patches_the_values_are_its_terms(trained, rows, monkeypatch):
    model = renaissance.load(trained("task_finetune_cifar10"))
    task, image = model.tasks["cifar10"], rows("scenes_cifar10_val")[0]["image"]
    side, before = 4, model.encoder.image_positions.before
    weights = torch.randn(side * side, 3, generator=torch.Generator().manual_seed(1))

    def encode(pixels):
        means = torch.nn.functional.adaptive_avg_pool2d(pixels, side).flatten(2).transpose(1, 2)
        hidden = torch.cat((torch.zeros(len(pixels), before, 3), means), dim=1)
        return Features(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool))

    def logits(step):
        score = (step.image.hidden[:, before:] * weights).sum((1, 2))
        return torch.nn.functional.pad(score[:, None], (1, len(task.class_names) - 2))  # of class 1; 0 of the others

    monkeypatch.setattr(model.encoder, "encode_image", encode)
    monkeypatch.setattr(task, "logits", logits)
    found = occlusion(model, {"image": image}, target=task.class_names[1])
    pixels = torch.from_numpy(np.array(model.transform(image))).float()[None] / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (model.statistics.mean, model.statistics.std))
    terms = (encode((pixels - mean) / std).hidden[0, before:] * weights).sum(1).view(side, side)
    assert torch.tensor(found.patches["image"]) == pytest.approx(terms, abs=1e-4)
    assert found.score == pytest.approx(float(terms.sum()) - math.log(len(task.class_names) - 1), abs=1e-4)


def test_a_words_value_is_what_predict_says_without_it(pair):
    model, example = pair
    found = occlusion(model, example, "itm", target="match")
    (whole,) = model.predict([example], "itm")
    assert found.probability == pytest.approx(whole["match"], abs=1e-5)
    text = example["text"]
    assert " ".join(word.text for word in found.words) == text
    for word in found.words[:4]:
        assert text[word.start : word.end] == word.text
        pieces = len(model.text.encode([word.text])[0][0]) - 2
        covered = text[: word.start] + " ".join(["[MASK]"] * pieces) + text[word.end :]
        (answer,) = model.predict([{**example, "text": covered}], "itm")
        assert word.value == pytest.approx(log_odds(whole["match"]) - log_odds(answer["match"]), abs=1e-4)


@torch.no_grad()
def test_a_patchs_value_is_the_logits_without_it(pair):
    model, example = pair
    found = occlusion(model, example, "itm", target="match")
    pixels = torch.from_numpy(np.array(model.transform(example["image"])))[None]
    batch = Batch(torch.tensor([0]), pixels=pixels, tokens=pad_texts(model.text.encode([example["text"]]), pad_id=0))
    task, normalised = model.tasks["itm"], model.to_pixels(batch)
    side = len(found.patches["image"])
    cell = pixels.shape[-1] // side

    def odds(seen):
        mismatch, match = task.logits(Step(model.encoder, batch, lambda batch: seen), None)[0].tolist()
        return match - mismatch

    for row, column in ((0, 0), (side // 2, side // 2), (side - 1, 0)):
        covered = normalised.clone()
        covered[:, :, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = 0
        wanted = odds(normalised) - odds(covered)
        assert abs(wanted) > 1e-3
        assert found.patches["image"][row][column] == pytest.approx(wanted, abs=1e-5)


def test_a_text_is_encoded_once_for_all_patches(pair, monkeypatch):
    model, example = pair
    texts, images = [], []
    encode_text, encode_image = model.encoder.encode_text, model.encoder.encode_image
    monkeypatch.setattr(model.encoder, "encode_text", lambda one: texts.append(len(one.ids)) or encode_text(one))
    monkeypatch.setattr(model.encoder, "encode_image", lambda one: images.append(len(one)) or encode_image(one))
    found = occlusion(model, example, "itm")
    cells, words = len(found.patches["image"]) ** 2, len(found.words)
    assert sum(images) == cells + 1
    assert words <= sum(texts) <= words + 4  # and once a step of patches


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_what_its_answer_rests_on(trained, rows, name):
    configuration, table, example_of = TASKS[name]
    model = renaissance.load(trained(configuration))
    row = rows(table)[0]
    found = occlusion(model, example_of(row), name)
    json.dumps(found.plain(), allow_nan=False)
    pictures = {"nlvr2": {"image", "second_image"}, "mrpc": set()}.get(name, {"image"})
    assert set(found.patches) == set(found.regions) == pictures
    assert any(value for grid in found.patches.values() for line in grid for value in line) == bool(pictures)
    if name == "ref":
        assert list(found.regions["image"]) == pytest.approx(row["bboxes"][int(found.target)])
    fields = {"caption": {"caption"}, "mrpc": {"text", "text_pair"}}.get(name, {"text"})
    assert {word.field for word in found.words} <= fields
    assert name == "caption" or {word.field for word in found.words} == fields


def test_a_masked_word_is_told_by_the_others(pair):
    model, example = pair
    text = "a [MASK] circle above a red square"
    found = occlusion(model, {**example, "text": text}, "mlm")
    (answer,) = model.predict([{**example, "text": text}], "mlm")
    assert found.target == answer["words"][0][0]["word"]
    assert found.probability == pytest.approx(answer["words"][0][0]["probability"], abs=1e-5)
    assert [word.text for word in found.words][1] == "[MASK]"
    assert found.words[1].value == pytest.approx(0, abs=1e-5)
    other = occlusion(model, {**example, "text": text}, "mlm", target="red")
    assert other.target == "red"


def test_a_fine_grid_is_made_coarser_and_a_long_text_read_in_runs(pair):
    model, example = pair
    found = occlusion(model, example, "itm", most_patches=4, most_words=3)
    assert [len(row) for row in found.patches["image"]] == [2, 2]
    assert len({word.value for word in found.words}) <= 3
    assert any("4 x 4" in note for note in found.notes)
    assert any("covered together" in note for note in found.notes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task": "vqa"}, "trained on"),
        ({"task": None}, "name one of"),
        ({"task": "itm", "target": "perhaps"}, "mismatch, match"),
        ({"task": "mlm"}, r"has no \[MASK\]"),
    ],
)
def test_a_mistake_is_named(pair, given, said):
    model, example = pair
    with pytest.raises(UserError, match=said):
        occlusion(model, {**example, "boxes": None} if given["task"] else example, **given)


@pytest.mark.parametrize("task", ["contrastive", "irtr"])
def test_an_empty_text_is_no_answer_where_there_is_one_alone(trained, rows, task):
    configuration, table, example_of = TASKS[task]
    model, example = renaissance.load(trained(configuration)), example_of(rows(table)[0])
    with pytest.raises(UserError, match="It has match"):
        occlusion(model, example, task, target="")


def test_a_task_that_cannot_tell_is_named(pair, monkeypatch):
    model, example = pair
    monkeypatch.setattr(type(model.tasks["itm"]), "claim", Task.claim)
    with pytest.raises(UserError, match=r"itm does not tell .* no method `claim`"):
        occlusion(model, example, "itm")


def test_a_text_rests_on_the_word_that_decides(run, rows):
    """The label of these texts is whether a circle is in them."""
    folder, final = run(
        "task_finetune_imdb", "scenes", "tiny", max_steps=120, warmup_steps=10, max_epoch=None, val_check_interval=1000
    )
    assert final["imdb/val/accuracy"] == 1
    model = renaissance.load(folder.best_checkpoint)
    with_circle = [row["text"] for row in rows("scenes_imdb_val") + rows("scenes_imdb_train")[:10] if row["label"]]
    strongest = [max(occlusion(model, {"text": text}).words, key=lambda word: word.value).text for text in with_circle]
    assert len(strongest) > 3
    assert np.mean([word.startswith("circle") for word in strongest]) >= 0.8, strongest


@pytest.mark.slow
def test_a_picture_rests_on_its_object(run, tmp_path):
    run.data_root = tmp_path / "things"
    folder, _ = run(
        "task_finetune_cifar10", "scenes", "tiny", max_steps=500, warmup_steps=20, num_scenes=2400, max_epoch=None,
        val_check_interval=1000, batch_size=32, per_gpu_batchsize=32, train_transform_keys=["imagenet"], image_size=32,
        patch_size=8, image_pooling="max",
    )  # fmt: skip
    model = renaissance.load(folder.best_checkpoint)
    with pa.memory_map(str(run.data_root / "scenes_cifar10_val.arrow")) as file:
        pictures = [row["image"] for row in pa.ipc.open_file(file).read_all().to_pylist()[:40]]
    hits, shares = [], []
    for picture in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB").resize((32, 32))).astype(int)
        there = np.abs(pixels - np.median(pixels.reshape(-1, 3), axis=0)).sum(-1) > 60  # what is no background
        values = np.array(occlusion(model, {"image": picture}).patches["image"])
        covered = there.reshape(4, 8, 4, 8).mean((1, 3)) > 0.02
        hits.append(bool(covered.flat[values.argmax()]))
        shares.append(covered.mean())
    assert np.mean(shares) < 0.3, "what guessing would hit"
    assert np.mean(hits) > 0.6
