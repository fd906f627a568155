"""`POST /predict` gives what `Model.predict` gives, whatever an example was batched with, and names what is wrong."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from renaissance.serving.app import create_app
from renaissance.serving.limits import Limits
from renaissance.serving.sample import sample_image
from tests.serving.conftest import plain

IMAGE = sample_image()
LONG = "one small green triangle left of two large yellow squares below a blue circle"
EXAMPLES = {
    "pair": [{"text": "a [MASK] circle", "image": IMAGE}, {"text": LONG, "image": IMAGE}],
    "text": [{"text": "a red circle"}, {"text": ""}, {"text": LONG}],
    "image": [{"image": IMAGE}],
    "clip": [{"text": "a red circle", "image": IMAGE}],
    "caption": [{"image": IMAGE}],
    "ref": [{"text": "the circle", "image": IMAGE, "boxes": [[0, 0, 20, 20], [20, 20, 30, 10], [5, 5, 9, 9]]}],
}


def close(found, wanted):
    """Compare answers, numbers to rounding."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            close(found[name], value)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=1e-5)
    else:
        assert found == wanted


def sent(example):
    return {name: plain(value) if isinstance(value, bytes) else value for name, value in example.items()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_answers_are_those_of_predict(client, models, name):
    answer = client.post(f"/models/{name}/predict", json=[sent(example) for example in EXAMPLES[name]])
    assert answer.status_code == 200, answer.text
    close(answer.json()["result"], models[name].predict(EXAMPLES[name]))


def test_one_task_alone_is_answered_by_its_name(client, models):
    answer = client.post("/predict?task=itm", json=[sent(example) for example in EXAMPLES["pair"]])
    close(answer.json()["result"], [{"itm": one} for one in models["pair"].predict(EXAMPLES["pair"], task="itm")])


def test_a_form_gives_what_json_gives(client):
    parts = [("text", (None, "a [MASK] circle")), ("image", ("x.png", IMAGE)),
             ("text", (None, LONG)), ("image", ("y.png", IMAGE))]  # fmt: skip
    by_form = client.post("/predict", files=parts)
    assert by_form.json() == client.post("/predict", json=[sent(example) for example in EXAMPLES["pair"]]).json()
    assert client.post("/predict", json=[]).json() == {"result": []}


@pytest.mark.parametrize(
    ("name", "body", "status", "example", "field"),
    [
        ("text", {"text": "a"}, 422, None, None),
        ("text", ["a"], 422, 0, None),
        ("text", [{"text": "a"}, {"text": 3}], 422, 1, "text"),
        ("text", [{"txt": "a"}], 422, 0, "txt"),
        ("text", [{}], 422, 0, "text"),
        ("text", [{"text": None}], 422, 0, "text"),
        ("text", [{"text": "a" * 30_000}], 413, 0, "text"),
        ("text", [{"text": "a"}] * 300, 413, None, None),
        ("pair", [{"text": "a"}], 422, 0, "image"),
        ("image", [{"image": "/etc/passwd"}], 422, 0, "image"),
        ("image", [{"image": "http://localhost/x.png"}], 422, 0, "image"),
        ("image", [{"image": {"path": "x.png"}}], 422, 0, "image"),
        ("image", [{"image": plain(b"no image")}], 422, 0, "image"),
        ("image", [{"image": plain(IMAGE)}, {"image": plain(IMAGE[:-40])}], 422, 1, "image"),
        ("ref", [{"text": "a", "image": plain(IMAGE), "boxes": [[1, 1, 0, 5]]}], 422, 0, "boxes"),
        ("ref", [{"text": "a", "image": plain(IMAGE), "boxes": [[1, 1, 5, 5]] * 101}], 413, 0, "boxes"),
    ],
)
def test_what_is_at_fault_is_named(client, name, body, status, example, field):
    answer = client.post(f"/models/{name}/predict", json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error.get("example"), error.get("field")) == (example, field)
    for told in ("/work", "Traceback", "0x"):
        assert told not in error["message"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"[", "application/json", 400),
        (b'[{"text": "\\ud800"}]', "application/json", 400),
        (b'[{"text": NaN}]', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'[{"text": "a"}]', "text/plain", 415),
        (b"text=a", "application/x-www-form-urlencoded", 415),
        (b"--x", "multipart/form-data; boundary=y", 400),
        (b"", "multipart/form-data", 400),
    ],
)
def test_a_malformed_body_is_refused(client, content, kind, status):
    assert client.post("/models/text/predict", content=content, headers={"Content-Type": kind}).status_code == status


def test_what_is_not_there_is_said(client):
    assert client.get("/nothing").status_code == 404
    assert client.post("/models/other/predict", json=[]).status_code == 404
    assert client.get("/predict").status_code == 405
    assert client.post("/predict?task=other", json=[]).status_code == 422
    assert set(client.get("/nothing").json()) == {"error"}


def test_limits_hold(asking, models):
    small = asking(models["image"], pixels=1000, body=20_000)
    assert small.post("/predict", json=[{"image": plain(IMAGE)}]).status_code == 413
    assert (
        small.post("/predict", content=b" " * 30_000, headers={"Content-Type": "application/json"}).status_code == 413
    )
    chunks = (b" " * 1000 for _ in range(30))  # nothing is announced
    assert small.post("/predict", content=chunks, headers={"Content-Type": "application/json"}).status_code == 413


def test_an_example_does_not_depend_on_its_batch_and_a_bad_one_harms_no_other(models):
    texts = [" ".join(["a red circle"] * (number % 7)) for number in range(40)]
    wanted = [models["pair"].predict([{"text": text, "image": IMAGE}])[0] for text in texts]

    async def ask_all():
        sizes = []
        app = create_app({"pair": models["pair"]}, Limits(wait=0.05))
        app._app._app.state.service.batcher.observe = sizes.append
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            bad = client.post("/predict", json=[{"text": "a", "image": plain(IMAGE[:-40])}])
            good = [client.post("/predict", json=[{"text": text, "image": plain(IMAGE)}]) for text in texts]
            return sizes, await asyncio.gather(bad, *good)

    sizes, (bad, *good) = asyncio.run(ask_all())
    assert bad.status_code == 422
    assert max(sizes) > 8, "requests were not batched"
    for answer, expected in zip(good, wanted, strict=True):
        close(answer.json()["result"], [expected])


def test_info_tells_what_can_be_sent(client, models):
    for name in EXAMPLES:
        info = client.get(f"/models/{name}/info").json()
        assert set(info["tasks"]) == set(models[name].tasks)
        for task, told in info["tasks"].items():
            assert told["labels"] == models[name].label_names.get(task)
            answer = client.post(f"/models/{name}/predict?task={task}", json=[told["example"]])
            assert answer.status_code == 200, answer.text
    assert client.get("/models").json() == {"models": list(models)}
    assert json.dumps(client.get("/openapi.json").json())
    assert "http" not in client.get("/docs").text.replace("http-equiv", "")


def form(*parts, end=b"--a--\r\n"):
    """The body of a form, by names and texts."""
    written = [b'--a\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % part for part in parts]
    return b"".join(written) + end


@pytest.mark.parametrize(
    ("header", "body", "status", "word"),
    [
        ("boundary=a; charset=UTF-8", form((b"text", "café".encode())), 200, "result"),
        ('boundary="a"', form((b"text", "café".encode())), 200, "result"),
        ("boundary=a", form((b"text", b"caf\xe9")), 400, "UTF-8"),
        ("boundary=a", form((b"t\xe9xt", b"a")), 400, "UTF-8"),
        ("boundary=a; charset=unicode_escape", form((b"text", b"\\ud800")), 415, "UTF-8"),
        ("boundary=a; charset=utf-7", form((b"+2AA-", b"a")), 415, "UTF-8"),
        ("boundary=a", form((b"text", b"one"), (b"text", b"two"), end=b""), 400, "cut off"),
        ("boundary=a", form((b"text", b"one"), end=b'--a\r\nContent-Disposition: form-data; name="te'), 400, "cut off"),
        ("boundary=a", b"", 400, "cut off"),
        ("x=a", form((b"text", b"one")), 400, "boundary"),
    ],
)
def test_a_form_is_taken_whole_and_as_utf_8_or_not_at_all(client, models, header, body, status, word):
    answer = client.post(
        "/models/text/predict", content=body, headers={"Content-Type": f"multipart/form-data; {header}"}
    )
    assert answer.status_code == status, answer.text
    assert word in answer.text
    if status == 200:
        close(answer.json()["result"], models["text"].predict([{"text": "café"}]))
