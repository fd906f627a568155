"""A server in a process of its own searches a prepared table: ranks, captions and images are the table's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import httpx
import numpy as np
import pyarrow as pa
import pytest

import renaissance
from renaissance.serving.sample import sample_image
from tests.command_line import ROOT
from tests.serving.conftest import TASKS, Served, plain
from tests.serving.test_server import wait_until_ready

HOSTILE = '</script><img src=x onerror="alert(1)">\u2028 \x00 \\'
QUERY = "a red circle above a blue square"


@pytest.fixture(scope="module")
def table(rows, scenes_root, tmp_path_factory):
    """The folder of the scenes' tables, of which the first caption to be found is no friend; and its rows."""
    folder = tmp_path_factory.mktemp("tables")
    found = rows("scenes_test")
    for split in ("train", "val"):
        shutil.copy(scenes_root / f"scenes_{split}.arrow", folder)
    with pa.memory_map(str(scenes_root / "scenes_test.arrow")) as file:
        schema = pa.ipc.open_file(file).schema
    found[0]["caption"][0] = HOSTILE
    with pa.OSFile(str(folder / "scenes_test.arrow"), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_table(pa.Table.from_pylist(found, schema=schema))
    return folder, found


@pytest.fixture(scope="module")
def server(trained, table):
    paths = {"clip.v1": str(trained(TASKS["clip"])), "words": str(trained(TASKS["text"]))}
    served = Served(f"load_path={json.dumps(paths)}", "dataset=scenes", f"data_root={table[0]}")
    wait_until_ready(served)
    yield served
    assert served.stop() == 0


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as opened:
        yield opened


def best(scores, number):
    """The rows of the highest scores, by sorting all of them."""
    return sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:number]


@pytest.mark.parametrize("by", ["text", "image"])
@pytest.mark.parametrize("base", ["", "/models/clip.v1"])
def test_rows_are_those_of_the_highest_products(client, trained, table, by, base):
    _, rows = table
    model = renaissance.load(trained(TASKS["clip"]))
    query = model.embed_text([QUERY]) if by == "text" else model.embed_image([rows[5]["image"]])
    scores = (model.embed_image([row["image"] for row in rows]) @ query[0]).tolist()
    given = {"text": QUERY} if by == "text" else {"image": plain(rows[5]["image"])}
    for number in (1, 7, len(rows)):
        result = client.post(f"{base}/search", json={**given, "top": number}).json()["result"]
        assert [one["row"] for one in result] == best(scores, number)
        np.testing.assert_allclose([one["score"] for one in result], sorted(scores)[::-1][:number], atol=1e-5)
    assert len(client.post(f"{base}/search", json=given).json()["result"]) == min(12, len(rows))
    assert by == "text" or result[0]["row"] == 5
    for one in result:
        assert one["captions"] == rows[one["row"]]["caption"]
        assert one["image"].startswith(f"{base}/search/images/")
        picture = client.get(one["image"])
        assert picture.content == rows[one["row"]]["image"]
        assert picture.headers["content-type"] == "image/png"


def test_a_caption_that_is_no_friend_stays_a_text(client, table):
    _, rows = table
    answer = client.post("/search", json={"image": plain(rows[0]["image"]), "top": 1})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["result"][0]["captions"][0] == HOSTILE


def test_what_cannot_be_searched_is_told(client):
    info = {name: client.get(f"/models/{name}/info").json()["can"]["search"] for name in ("clip.v1", "words")}
    assert info == {"clip.v1": True, "words": False}
    lacking = client.post("/models/words/search", json={"text": "a"})
    assert lacking.status_code == 404
    assert "contrastive" in lacking.json()["error"]["message"]
    broken = client.post("/search", json={"image": plain(sample_image()[:-40])})
    assert broken.status_code == 422
    assert broken.json()["error"].keys() == {"message", "field"}
    for top in (0, 101, 1.5, True, "many"):
        assert client.post("/search", json={"text": "a", "top": top}).json()["error"]["field"] == "top"


@pytest.mark.parametrize(
    ("kind", "data_set", "said"),
    [
        ("clip", "vg", "python run.py prepare"),
        ("clip", "imdb", "no caption examples"),
        ("text", "scenes", "contrastive"),
    ],
)
def test_a_server_that_could_search_nothing_does_not_start(trained, tmp_path, kind, data_set, said):
    words = ["port=0", f"load_path={trained(TASKS[kind])}", f"dataset={data_set}", f"data_root={tmp_path}"]
    done = subprocess.run([sys.executable, "run.py", "serve", "with", *words], cwd=ROOT, capture_output=True,
                          text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
