"""Who may not ask is answered nothing, and a folder of images shows nothing that lies elsewhere."""

from __future__ import annotations

import os

import pytest

from renaissance.serving.sample import sample_image
from renaissance.serving.service import Access

IMAGE = sample_image()


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "8.8.8.8", "", "[::1", "localhost:x"])
def test_a_name_that_points_here_is_refused(client, host):
    assert client.get("/info", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:80"])
def test_own_names_are_answered(client, host):
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://[", "https://x@localhost"]
)
def test_pages_of_other_sites_may_not_ask(client, origin):
    form = {"text": (None, "a")}  # what a page may send without asking
    assert client.post("/models/text/predict", files=form, headers={"Origin": origin}).status_code == 403
    own = {"Origin": "http://localhost"}
    assert client.post("/models/text/predict", files=form, headers=own).status_code == 200


def test_every_answer_tells_browsers_to_be_careful(client):
    for path in ("/health", "/nothing", "/", "/docs"):
        headers = client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_token_is_asked_for(asking, models):
    access = Access(token="s3cret")
    assert "s3cret" not in repr(access)
    client = asking(models["text"], access)
    for words in ("", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3crets"):
        given = {"Authorization": words}
        for path in ("/info", "/metrics", "/openapi.json", "/models/one/info"):
            answer = client.get(path, headers=given)
            assert answer.status_code == 401
            assert "s3cret" not in answer.text
        assert client.post("/predict", json=[{"text": "a"}], headers=given).status_code == 401
    assert client.get("/health").status_code == 200
    right = {"Authorization": "Bearer s3cret"}
    assert client.post("/predict", json=[{"text": "a"}], headers=right).status_code == 200


def test_files_of_the_folder_alone_can_be_named(asking, models, tmp_path):
    folder = tmp_path / "images"
    (folder / "cats").mkdir(parents=True)
    (folder / "cats" / "1.png").write_bytes(IMAGE)
    (tmp_path / "outside.png").write_bytes(IMAGE)
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    client = asking(models["image"], images=folder)

    def ask(name):
        return client.post("/predict", json=[{"image": {"path": name}}])

    assert ask("cats/1.png").json() == client.post("/predict", files={"image": ("1.png", IMAGE)}).json()
    for name in ("../outside.png", "cats/../../outside.png", "link.png", "out/outside.png", "pipe.png", "cats", "",
                 str(tmp_path / "outside.png"), "cats/1.png\0", "none.png", "x/" * 5000, "cats//1.png"):  # fmt: skip
        answer = ask(name)
        assert answer.status_code == 422, name
        assert answer.json()["error"]["field"] == "image"
        assert str(tmp_path) not in answer.text
