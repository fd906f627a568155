"""Captions, vectors, labels and searches over HTTP are those of the Python functions."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

import renaissance
from renaissance.serving.app import create_app
from renaissance.serving.routes import attributions
from renaissance.serving.sample import sample_image
from renaissance.serving.searching import Searcher
from tests.serving.conftest import plain

IMAGE = sample_image()
OTHER = io.BytesIO()
Image.new("RGB", (40, 30), "green").save(OTHER, "PNG")


def events(answer):
    """The names and the data of server-sent events."""
    found = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in found]


@pytest.mark.parametrize("strategy", ["greedy", "sample", "beam"])
def test_a_caption_comes_token_by_token_and_is_the_one_of_caption(trained, strategy):
    settings = {"generation_strategy": strategy, "num_beams": 2 if strategy == "beam" else 1}
    model = renaissance.load(trained("task_foundation_captioning", **settings))
    (wanted,) = model.caption([IMAGE], prefix="a red")
    with TestClient(create_app({"caption": model}), base_url="http://localhost") as client:
        answer = client.post("/caption", json={"image": plain(IMAGE), "prefix": "a red"})
        assert answer.headers["content-type"].startswith("text/event-stream")
        *tokens, done = events(answer)
        assert done == ("done", {"caption": wanted})
        assert {name for name, _ in tokens} == {"token"}
        assert "".join(data["text"] for _, data in tokens) == wanted
        assert len(tokens) == 1 or strategy != "beam"
        assert len(tokens) > 1 or strategy != "sample"
        assert client.post("/caption", json={"image": plain(IMAGE[:-40])}).status_code == 422
        assert client.post("/caption", json={}).json()["error"]["field"] == "image"


def test_vectors_are_those_of_the_model(client, models):
    model, texts, images = models["clip"], ["a red circle", "green"], [IMAGE, OTHER.getvalue()]
    body = {"texts": texts, "images": [plain(image) for image in images]}
    joint = client.post("/models/clip/embed", json=body).json()
    assert joint["space"] == "joint"
    np.testing.assert_allclose(joint["texts"], model.embed_text(texts), atol=1e-5)
    np.testing.assert_allclose(joint["images"], model.embed_image(images), atol=1e-5)
    pooled = client.post("/models/text/embed", json={"texts": texts}).json()
    assert pooled["space"] == "pooled"
    np.testing.assert_allclose(pooled["texts"], models["text"].encode_text(texts), atol=1e-5)
    assert client.post("/models/text/embed", json={"images": [plain(IMAGE)]}).json()["error"]["field"] == "images"
    assert client.post("/models/text/embed?space=joint", json={"texts": texts}).status_code == 422
    assert client.post("/models/clip/embed?space=other", json={"texts": texts}).status_code == 422


def test_an_image_that_cannot_be_read_is_named_by_its_place(client):
    images = [plain(IMAGE), plain(IMAGE[:-40])]  # its head is whole, so it is found when it is decoded
    for address, body in {
        "embed": {"texts": ["a", "b", "c"], "images": images},
        "zeroshot": {"images": images, "labels": ["a", "b"]},
    }.items():
        error = client.post(f"/models/clip/{address}", json=body).json()["error"]
        assert (error["example"], error["field"]) == (1, "images"), error


def test_labels_are_told_apart_as_the_formula_says(client, models):
    model, labels, templates = models["clip"], ["red circle", "green"], ["a {}", "one {} here"]
    body = {"images": [plain(IMAGE)], "labels": labels, "templates": templates}
    (answer,) = client.post("/models/clip/zeroshot", json=body).json()["result"]
    classes = []
    for label in labels:
        mean = model.embed_text([template.format(label) for template in templates]).mean(0)
        classes.append(mean / mean.norm())
    wanted = (model.scale * model.embed_image([IMAGE]) @ torch.stack(classes).T).softmax(-1)[0]
    assert list(answer["probabilities"].values()) == pytest.approx(wanted.tolist(), abs=1e-5)
    assert answer["answer"] == labels[int(wanted.argmax())]
    assert (
        client.post("/models/clip/zeroshot", json={**body, "labels": ["a", "a"]}).json()["error"]["field"] == "labels"
    )
    assert client.post("/models/clip/zeroshot", json={**body, "templates": ["a"]}).status_code == 422
    assert client.post("/models/text/zeroshot", json=body).status_code == 404


class _Pictures:
    """A table of two images, of which a search needs no more."""

    images = type("Images", (), {"value": lambda self, row, column: [IMAGE, OTHER.getvalue()][row]})()
    captions = type(
        "Captions", (), {"of_row": lambda self, row: [row], "value": lambda self, index, column: f"caption {index}"}
    )()

    def size(self, side):
        return 2


def test_a_search_finds_the_nearest_rows_of_all_tables(models):
    model = models["clip"]
    features = model.embed_image([IMAGE, OTHER.getvalue()]).numpy()
    searcher = Searcher([_Pictures(), _Pictures()], [features, features])
    app = create_app({"clip": model}, searchers={"clip": searcher})
    with TestClient(app, base_url="http://localhost") as client:
        found = client.post("/models/clip/search", json={"image": plain(OTHER.getvalue()), "top": 3}).json()["result"]
        assert [row["row"] for row in found] == [1, 3, int(found[2]["row"])]
        assert found[0]["score"] == pytest.approx(1, abs=1e-4)
        assert found[1]["captions"] == ["caption 1"]
        picture = client.get(found[1]["image"])
        assert picture.content == OTHER.getvalue()
        assert picture.headers["content-type"] == "image/png"
        assert client.get("/search/images/4").status_code == 404
        assert client.get("/search/images/-1").status_code == 404
        assert client.post("/search", json={"text": "a", "top": 1000}).json()["error"]["field"] == "top"
        assert client.post("/search", json={"text": "a", "image": plain(IMAGE)}).status_code == 422
        assert len(client.post("/search", json={"text": "a"}).json()["result"]) == 4


def test_without_a_table_nothing_is_searched(client):
    answer = client.post("/models/clip/search", json={"text": "a"})
    assert answer.status_code == 404
    assert "dataset=" in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", attributions.METHODS)
def test_a_fault_in_what_attributions_are_asked_of_is_named(client, method):
    example = {"text": "a red circle", "image": plain(IMAGE[:-40])}  # its head is whole
    answer = client.post("/models/clip/attributions", json={"example": example, "method": method})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["example"], error["field"]) == (0, "image")
    assert error["message"].startswith("the image cannot be read")


def test_an_empty_target_is_no_answer_of_a_similarity(client):
    body = {"example": {"text": "a red circle", "image": plain(IMAGE)}, "target": ""}
    answer = client.post("/models/clip/attributions", json=body)
    assert answer.status_code == 422
    assert "It has match." in answer.json()["error"]["message"]


def test_attention_is_recorded_where_nothing_else_computes(models, monkeypatch):
    where = []

    def recorded(method):
        def work(*arguments, **named):
            where.append((method.__name__, threading.current_thread().name.partition("_")[0]))
            return method(*arguments, **named)

        return work

    for method in (attributions.attention, attributions.occlusion):
        monkeypatch.setattr(attributions, method.__name__, recorded(method))
    with TestClient(create_app({"pair": models["pair"]}), base_url="http://localhost") as client:
        for method in attributions.METHODS:
            body = {"example": {"text": "a red circle", "image": plain(IMAGE)}, "task": "itm", "method": method}
            assert client.post("/attributions", json=body).status_code == 200
    assert where == [("occlusion", "aside"), ("attention", "compute")]
