"""`search`: its matches are those of a plain matrix, and features that are kept are never those of something else."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import renaissance
from renaissance.errors import UserError
from renaissance.inference.search import fingerprints, matches
from renaissance.inference.search.fingerprints import model_fingerprint, table_fingerprint
from renaissance.inference.search.matches import best_matches
from renaissance.inference.search.search import search, tables_to_search
from renaissance.inference.search.sheet import Cell, draw_sheet
from renaissance.inference.search.store import FeatureStore
from renaissance.tasks.behaviours.contrastive import ContrastiveTask
from tests.inference.class_tables import picture, settings_of

# (captions by image); one image has none.
TRAIN = [["a red thing", "red"], [], ["a green thing"], ["something blue", "blue", "a blue thing"]]
RESTVAL = [["a red wall"], ["green grass", "a meadow"]]


def rows_of(name: str, captions: list[list[str]], seed: int) -> list[dict[str, Any]]:
    """Rows of images with captions."""
    random = np.random.default_rng(seed)
    return [
        {"image": picture(number, random), "caption": texts, "image_id": f"{name}-{number}"}
        for number, texts in enumerate(captions)
    ]


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """A table as `prepare` writes them."""
    schema = pa.schema([("image", pa.binary()), ("caption", pa.list_(pa.string())), ("image_id", pa.string())])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))


@pytest.fixture
def coco(tmp_path):
    """Two tables of one split; gives their folder and their rows."""
    folder = tmp_path / "data"
    train, restval = rows_of("train", TRAIN, 0), rows_of("restval", RESTVAL, 1)
    write_table(folder / "coco_caption_karpathy_train.arrow", train)
    write_table(folder / "coco_caption_karpathy_restval.arrow", restval)
    return folder, train + restval


@pytest.fixture(scope="session")
def checkpoint(trained):
    return trained("task_clip_scenes")


@pytest.fixture
def searched(checkpoint, coco, tmp_path):
    """Runs the command; gives the matches of results.json and the folder."""

    def run(query, **overrides):
        given = {"load_path": str(checkpoint), "data_root": str(coco[0]), "log_dir": str(tmp_path / "result"),
                 "dataset": "coco", "split": "train", "query": query, "eval_batch_size": 2}  # fmt: skip
        folder = search(settings_of("search", **{**given, **overrides}))
        return json.loads((folder / "results.json").read_text())["matches"], folder

    return run


@pytest.fixture
def computed(monkeypatch):
    """Notes what is computed rather than read."""
    found = []
    compute = FeatureStore._compute

    def noted(self, examples, side, path):
        found.append((examples.paths[0].stem.rpartition("_")[2], side))
        compute(self, examples, side, path)

    monkeypatch.setattr(FeatureStore, "_compute", noted)
    return found


def test_a_texts_matches_are_those_of_a_plain_matrix(searched, checkpoint, coco, capsys):
    found, folder = searched("a red thing")
    model = renaissance.load(checkpoint)
    scores = (model.embed_image([row["image"] for row in coco[1]]) @ model.embed_text(["a red thing"])[0]).tolist()
    order = sorted(range(6), key=lambda number: -scores[number])
    assert [match["image"] for match in found] == [coco[1][number]["image_id"] for number in order]
    assert [match["score"] for match in found] == pytest.approx([scores[number] for number in order], abs=1e-5)
    assert [match["caption"] for match in found] == [(coco[1][number]["caption"] or [""])[0] for number in order]
    assert found[0]["match"] == "image 1"
    assert {path.name for path in folder.iterdir()} == {"results.json", "matches.csv", "sheet.png"}
    table = list(csv.DictReader((folder / "matches.csv").open(newline="")))
    assert [row["image"] for row in table] == [match["image"] for match in found]
    assert capsys.readouterr().out.strip().endswith(f"search: {folder}")
    fewer, other = searched("a red thing", num_matches=2, num_workers=1)
    assert fewer == found[:2]
    assert (folder.name, other.name) == ("1", "2"), "nothing is overwritten"


def test_an_images_matches_are_images_and_captions(searched, checkpoint, coco, tmp_path):
    file = tmp_path / "query.png"
    file.write_bytes(coco[1][2]["image"])
    found, folder = searched(str(file), num_matches=4)
    model = renaissance.load(checkpoint)
    query = model.embed_image([file])[0]
    captions = [(row["image_id"], text) for row in coco[1] for text in row["caption"]]
    scores = (model.embed_text([text for _, text in captions]) @ query).tolist()
    order = sorted(range(len(captions)), key=lambda number: -scores[number])[:4]
    images, texts = found[:4], found[4:]
    assert (images[0]["image"], images[0]["score"]) == (coco[1][2]["image_id"], pytest.approx(1, abs=1e-5))
    assert [match["match"] for match in texts] == ["caption 1", "caption 2", "caption 3", "caption 4"]
    assert [(match["image"], match["caption"]) for match in texts] == [captions[number] for number in order]
    assert [match["score"] for match in texts] == pytest.approx([scores[number] for number in order], abs=1e-5)
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width == 1000


def test_features_are_computed_once_and_again_where_anything_differs(searched, coco, computed, trained, tmp_path):
    first, _ = searched("red")
    assert computed == [("train", "images"), ("restval", "images")]
    again, _ = searched("red")
    assert again == first
    assert len(computed) == 2, "read"
    computed.clear()

    table = coco[0] / "coco_caption_karpathy_train.arrow"
    before = os.stat(table)
    write_table(table, coco[1][:4][::-1])
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (os.stat(table).st_size, os.stat(table).st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    changed, _ = searched("red")
    assert computed == [("train", "images")], "the other table has not changed"
    for one, other in zip(first, changed, strict=True):
        assert one["image"] == other["image"], "a picture has its own score, in whichever row"
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
    computed.clear()

    another = trained("task_clip_scenes", seed=1)
    searched("red", load_path=str(another))
    assert len(computed) == 2
    computed.clear()
    moved = shutil.copy(another, tmp_path / "moved.ckpt")
    searched("red", load_path=str(moved))
    assert computed == [], "where a checkpoint lies changes nothing"
    shutil.copytree(coco[0], tmp_path / "copied")
    searched("red", load_path=str(moved), data_root=str(tmp_path / "copied"))
    assert computed == [], "tables and features that were copied together go on together"


def test_a_table_that_is_written_again_at_once_is_not_taken_for_the_former(tmp_path, monkeypatch):
    """Its time stamps may be the same: what was found is kept only when the file has been left alone a while."""
    table, kept = tmp_path / "a.arrow", tmp_path / "kept.json"
    table.write_bytes(b"one")
    first = table_fingerprint(table, kept)
    assert not kept.exists()
    monkeypatch.setattr(fingerprints, "SETTLED_SECONDS", -1.0)
    assert table_fingerprint(table, kept) == first
    assert kept.exists()
    kept.write_text(kept.read_text().replace(first, "0" * 64))
    assert table_fingerprint(table, kept) == "0" * 64, "it is not read again"
    table.write_bytes(b"two")
    assert table_fingerprint(table, kept) not in (first, "0" * 64)
    kept.write_text("[]")
    assert table_fingerprint(table, kept) not in (first, "0" * 64)


SETTINGS = {"image_size": 96, "val_transform_keys": ["clip"], "max_text_len": 9, "image_pooling": "cls",
            "text_pooling": "max", "long_text": "from_end"}  # fmt: skip


def test_a_fingerprint_tells_every_model_from_another(checkpoint):
    model = renaissance.load(checkpoint)
    first = model_fingerprint(model)
    assert model_fingerprint(renaissance.load(checkpoint)) == first
    settings = model.settings
    for name, value in SETTINGS.items():
        assert getattr(settings, name) != value
        model.settings = settings.model_copy(update={name: value})
        assert model_fingerprint(model) != first, name
    model.settings = settings.model_copy(update={"log_dir": "elsewhere", "num_workers": 7, "load_path": "a"})
    assert model_fingerprint(model) == first, "of no effect on features"
    for module in (model.encoder, model.tasks["contrastive"]):
        weight = next(module.parameters()).data
        former = weight.flatten()[0].clone()
        weight.view(-1)[0] = torch.nextafter(former, torch.tensor(torch.inf))
        assert model_fingerprint(model) != first
        weight.view(-1)[0] = former
    assert model_fingerprint(model) == first


class _Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


DAMAGES = ("cut off", "empty", "other rows", "pickled", "other columns", "columns first", "double", "archive", "header")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_features_are_written_anew(searched, coco, computed, damage, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, _ = searched("red")
    computed.clear()
    (file,) = (coco[0] / "coco_caption_karpathy_train.features").glob("images-*.npy")
    content = file.read_bytes()
    if damage == "other rows":
        np.save(file, np.zeros((3, 4), np.float32))
    elif damage == "pickled":
        np.save(file, np.array([_Trap()], object), allow_pickle=True)
    elif damage == "other columns":
        np.save(file, np.load(file)[:, :-1])
    elif damage == "columns first":
        np.save(file, np.asfortranarray(np.load(file)))
    elif damage == "double":
        np.save(file, np.load(file).astype(np.float64))
    elif damage == "archive":
        with file.open("r+b") as opened:
            np.savez(opened, np.zeros(3))
    elif damage == "header":
        file.write_bytes(content.replace(b"{", b"(", 1))
    else:
        file.write_bytes(content[: len(content) // 2 if damage == "cut off" else 0])
    found, _ = searched("red")
    assert found == first
    assert computed == [("train", "images")]
    assert file.read_bytes() == content
    assert "it is written anew" in capsys.readouterr().out
    assert not Path("sprung").exists()


def test_a_folder_that_cannot_be_written_is_said(searched, coco, computed, capsys):
    first, _ = searched("red")
    folder = coco[0] / "coco_caption_karpathy_train.features"
    shutil.rmtree(folder)
    folder.write_text("in the way")
    found, _ = searched("red")
    assert found == first
    assert f"{folder}: cannot be written (File exists), so the features are not kept" in capsys.readouterr().out
    assert folder.read_text() == "in the way"


def test_a_folder_in_a_files_place_is_left_there(searched, coco, capsys):
    first, _ = searched("red")
    (file,) = (coco[0] / "coco_caption_karpathy_train.features").glob("images-*.npy")
    file.unlink()
    file.mkdir()
    found, _ = searched("red")
    assert found == first
    assert f"{file}: cannot be written (Is a directory), so the features are not kept" in capsys.readouterr().out
    assert file.is_dir()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 3.0])
def test_features_that_are_not_of_length_1_are_refused(searched, coco, wrong):
    searched("red")
    (file,) = (coco[0] / "coco_caption_karpathy_train.features").glob("images-*.npy")
    features = np.load(file)
    features[2] *= wrong
    np.save(file, features)
    with pytest.raises(UserError, match=rf"{file.name}: vector 2 has the length .*Delete the file"):
        searched("red")


def test_an_interrupted_search_leaves_nothing_half_written(searched, coco, monkeypatch):
    whole, calls = ContrastiveTask.embed_image, []

    def interrupted(self, step):
        calls.append(step)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return whole(self, step)

    monkeypatch.setattr(ContrastiveTask, "embed_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        searched("red")
    assert len(calls) == 2
    assert [path.name for path in (coco[0] / "coco_caption_karpathy_train.features").iterdir()
            if path.name != "table.json"] == []  # fmt: skip


def test_the_best_of_blocks_are_the_best_of_all(monkeypatch):
    monkeypatch.setattr(matches, "BLOCK", 7)
    random = np.random.default_rng(0)
    features = random.integers(-2, 3, (100, 3)).astype(np.float32)  # with many ties
    query = np.array([1, 2, -1], np.float32)
    scores = features @ query
    expected = sorted(range(100), key=lambda number: (-scores[number], number))[:20]
    found = best_matches(query, features, 5, 20)
    assert [one.place for one in found] == expected
    assert [one.score for one in found] == [scores[number] for number in expected]
    assert {one.table for one in found} == {5}
    assert len(best_matches(query, features[:3], 0, 20)) == 3


def test_without_a_data_set_the_checkpoints_own_is_searched(searched, scenes_root):
    found, _ = searched("a red circle", dataset=None, split=None, data_root=str(scenes_root), num_scenes=120)
    assert len(found) == 10
    assert all("scenes_test.arrow" in match["where"] for match in found)


def test_data_sets_without_such_a_table_are_said(checkpoint, scenes_root, tmp_path, capsys):
    model = renaissance.load(checkpoint)
    shutil.copytree(scenes_root, tmp_path / "data")
    for split in ("train", "val"):
        write_table(tmp_path / "data" / f"own_{split}.arrow", rows_of(split, [["red"], ["green"]], 0))
    model.settings = model.settings.model_copy(update={"datasets": ["scenes", "own", "imdb"]})
    given = {"load_path": str(checkpoint), "data_root": str(tmp_path / "data"), "num_scenes": 120, "query": "red"}
    _, paths = tables_to_search(model, settings_of("search", **given))
    assert [path.name for path in paths] == ["scenes_test.arrow"]
    said = "nothing is searched of own, imdb: no test table of images with captions"
    assert said in capsys.readouterr().out


def test_a_sheet_is_drawn_of_any_words(tmp_path):
    cells = [Cell(Image.new("RGB", (40, 300), "red"), "1: 0.5", "$a_{b}$ \x07 " + "word " * 60)] * 70
    path = draw_sheet("query: $x " + "long " * 100, cells, ["caption $1 " + "long " * 60], tmp_path / "sheet.png")
    with Image.open(path) as sheet:
        assert sheet.width == 1000
        assert sheet.height > 4000, "60 of them"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"query": None}, "query: say what to search for"),
        ({"query": " "}, "query: say what to search for"),
        ({"query": "none.png"}, "query='none.png': there is no such file"),
        ({"query": "none/dog.png"}, "query='none/dog.png': there is no such file"),
        ({"query": "pictures/dog.heic"}, "query='pictures/dog.heic': there is no such file"),
        ({"load_path": ""}, "load_path: say which checkpoint to use"),
        ({"split": "dev"}, "split='dev': coco has train there"),
        ({"dataset": "imdb"}, "has no caption examples"),
        ({"dataset": "nonsense"}, "neither a known data set"),
    ],
)
def test_a_mistake_is_one_message(searched, tmp_path, given, said):
    with pytest.raises(UserError, match=said):
        searched(**{"query": "red", **given})
    assert not (tmp_path / "result").exists()


def test_a_caption_commands_no_terminal_and_forges_no_row(searched, coco, capsys):
    caption = "a \x1b[31mred\x1b]0;PWNED\x07 thing\nimage 9  0.99"
    write_table(coco[0] / "coco_caption_karpathy_train.arrow", rows_of("train", [[caption]], 0))
    found, _ = searched("red")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\nimage 9" not in out
    assert "a  [31mred ]0;PWNED  thing image 9" in out
    assert caption in {match["caption"] for match in found}, "files have it as it is"


def test_an_image_that_is_none_is_named(searched, tmp_path):
    file = tmp_path / "query.png"
    file.write_text("no picture")
    with pytest.raises(UserError, match=r"^query: .*query.png: the image cannot be read: not an image file"):
        searched(str(file))


@pytest.mark.parametrize("query", ["red and/or green", "a red/green thing. It is small"])
def test_what_is_searched_for_is_said(searched, coco, query, tmp_path, capsys):
    searched(query)
    assert f"searching for the text {query}\n" in capsys.readouterr().out
    file = tmp_path / "red"
    file.write_bytes(coco[1][0]["image"])
    searched(str(file))
    assert f"searching for the image file {file}\n" in capsys.readouterr().out


def test_an_image_is_found_among_images_without_captions(searched, coco, tmp_path):
    write_table(coco[0] / "coco_caption_karpathy_restval.arrow", rows_of("restval", [[], []], 1))
    file = tmp_path / "query.png"
    file.write_bytes(coco[1][0]["image"])
    found, _ = searched(str(file))
    assert len([match for match in found if match["match"].startswith("caption")]) == 6, "those of the other table"
    write_table(coco[0] / "coco_caption_karpathy_train.arrow", rows_of("train", [[], []], 0))
    found, _ = searched(str(file))
    assert [match["match"] for match in found] == [f"image {place}" for place in range(1, 5)]


def test_a_model_without_a_joint_space_is_refused(searched, pretrained):
    with pytest.raises(UserError, match="no joint space of texts and images: it was trained on itm, mlm"):
        searched("red", load_path=str(pretrained()))
