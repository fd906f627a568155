"""The sample set, read by a grammar and by eyes of its own: captions against `scene` columns and against pixels."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import open_split
from renaissance.data.preparing.prepare import prepare, prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.data.tables.find import splits_there
from renaissance.data.tables.parameters import remarks_on_tables
from renaissance.errors import UserError
from renaissance.settings import Settings

from .schemas import PICTURES, REVIEWS

MakeSettings = Callable[..., Settings]
Rows = dict[str, list[dict[str, Any]]]
NUMBER = 1200

COLOURS = {
    "red": (215, 35, 40), "orange": (250, 140, 30), "yellow": (245, 225, 50), "green": (40, 160, 60),
    "blue": (45, 80, 220), "purple": (130, 40, 160), "pink": (250, 150, 195), "black": (25, 25, 25),
}  # fmt: skip
NAME = r"(one|two|three) (small|large) ([a-z]+) (circle|square|triangle|cross)(?:s|es)?"


class Seen(NamedTuple):
    """A thing of a picture or a sentence; places in thirds of the picture."""

    size: str
    colour: str
    shape: str
    x: int
    y: int


class Told(NamedTuple):
    """A group of a sentence."""

    number: int
    size: str
    colour: str
    shape: str


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, make_settings: MakeSettings) -> Rows:
    """The tables of captions, single things and texts, read by pyarrow alone."""
    folder = tmp_path_factory.mktemp("scenes")
    settings = make_settings(data_root=str(folder), num_scenes=NUMBER)
    prepare_data_set(data_sets()["scenes"], settings, processes=2, schemas=("caption", "cifar10", "imdb"))
    return {path.stem: pa.ipc.open_file(str(path)).read_all().to_pylist() for path in folder.glob("*.arrow")}


def caption_rows(rows: Rows) -> list[dict[str, Any]]:
    return [row for split in ("train", "val", "test") for row in rows[f"scenes_{split}"]]


def told_by(caption: str) -> tuple[list[Told], str]:
    """The groups of a sentence from left to right or top to bottom, and how they stand."""
    groups = [
        Told(("one", "two", "three").index(count) + 1, size, colour, shape)
        for count, size, colour, shape in re.findall(NAME, caption)
    ]
    if len(groups) == 2:
        relation = re.search(r" (left of|right of|above|below) ", caption)
        assert relation is not None
        there = {"left of": "row", "above": "column", "right of": "row", "below": "column"}[relation[1]]
        return (groups[::-1] if relation[1] in ("right of", "below") else groups), there
    place = re.search(r"in the ((?:(?:top|bottom) (?:left|right) corner)|(?:[a-z]+ (?:row|column))|middle)", caption)
    assert place is not None
    return groups, place[1]


def expected_of(groups: list[Told], standing: str) -> list[Seen]:
    """The things that a sentence speaks of, in the cells of a grid of 3 x 3."""
    things = [group for group in groups for _ in range(group.number)]
    words = standing.split()
    if standing == "middle" or words[-1] == "corner":
        cells = [
            ({"left": 0, "right": 2}.get(words[1], 1), {"top": 0, "bottom": 2}[words[0]]) if len(words) > 1 else (1, 1)
        ]
    else:
        along = [0, 1, 2] if len(things) == 3 else [0, 2]
        aside = {"top": 0, "left": 0, "middle": 1, "bottom": 2, "right": 2}[words[0]] if len(words) > 1 else 1
        cells = [(place, aside) if words[-1] == "row" else (aside, place) for place in along]
    return sorted(Seen(*thing[1:], *cell) for thing, cell in zip(things, cells, strict=True))


def seen_in(png: bytes) -> list[tuple[str, int, int, int]]:
    """(colour, x, y, area) of what stands in each cell of a picture, found by its pixels alone."""
    picture = np.asarray(Image.open(io.BytesIO(png))).astype(int)
    ground = np.median(picture.reshape(-1, 3), axis=0)
    third = len(picture) // 3
    found = []
    for y in range(3):
        for x in range(3):
            cell = picture[y * third : (y + 1) * third, x * third : (x + 1) * third]
            inked = np.abs(cell - ground).max(-1) > 40
            if inked.sum() > 20:
                colour = np.median(cell[inked], axis=0)
                nearest = min(COLOURS, key=lambda name: float(np.abs(np.array(COLOURS[name]) - colour).sum()))
                found.append((nearest, x, y, int(inked.sum())))
    return found


def test_the_tables(rows: Rows) -> None:
    sizes = {table: len(content) for table, content in rows.items()}
    assert sizes == {
        "scenes_train": 1000, "scenes_val": 100, "scenes_test": 100,
        "scenes_cifar10_train": 500, "scenes_cifar10_val": 50, "scenes_cifar10_test": 50,
        "scenes_imdb_train": 500, "scenes_imdb_val": 50, "scenes_imdb_test": 50,
    }  # fmt: skip
    assert list(rows["scenes_train"][0])[:4] == ["image", "caption", "image_id", "split"]
    assert all(Image.open(io.BytesIO(row["image"])).format == "PNG" for row in rows["scenes_train"][:20])


def test_there_is_as_much_in_the_pictures_as_was_asked_for(rows: Rows) -> None:
    things = [json.loads(row["scene"])["things"] for row in caption_rows(rows)]
    assert set(map(len, things)) == {1, 2, 3}
    every = [thing for several in things for thing in several]
    assert len({thing["colour"] for thing in every}) >= 6
    assert len({thing["shape"] for thing in every}) >= 3
    assert len({thing["size"] for thing in every}) == 2


def test_every_caption_tells_all_of_its_scene(rows: Rows) -> None:
    for row in caption_rows(rows):
        things = json.loads(row["scene"])["things"]
        third = 32
        scene = sorted(
            Seen(thing["size"], thing["colour"], thing["shape"], (x + width // 2) // third, (y + height // 2) // third)
            for thing in things
            for x, y, width, height in [thing["box"]]
        )
        assert len(row["caption"]) == len(set(row["caption"])) == 2
        for caption in row["caption"]:
            assert expected_of(*told_by(caption)) == scene, caption


def test_what_the_captions_tell_can_be_seen(rows: Rows) -> None:
    areas: dict[tuple[str, str], list[int]] = {}
    for row in caption_rows(rows)[:400]:
        expected = expected_of(*told_by(row["caption"][0]))
        seen = sorted(seen_in(row["image"]), key=lambda thing: thing[1:3])
        expected.sort(key=lambda thing: thing[3:])
        assert [(colour, x, y) for colour, x, y, _ in seen] == [(t.colour, t.x, t.y) for t in expected], row["caption"]
        for thing, (_, _, _, area) in zip(expected, seen, strict=True):
            areas.setdefault((thing.shape, thing.size), []).append(area)
    for shape in ("circle", "square", "triangle", "cross"):
        assert max(areas[shape, "small"]) < min(areas[shape, "large"])


def test_every_caption_is_true_of_its_own_picture_only(rows: Rows) -> None:
    """A sentence names a whole scene, and no two pictures show the same."""
    meanings: dict[tuple[Any, ...], int] = {}
    for number, row in enumerate(caption_rows(rows)):
        for caption in row["caption"]:
            groups, standing = told_by(caption)
            assert meanings.setdefault((tuple(groups), standing), number) == number, caption


def test_a_mismatched_caption_is_false_of_the_picture(rows: Rows) -> None:
    """Also where it is read generously: as telling of some of what there is, with exact counts."""
    test = rows["scenes_test"]
    scenes = [told_by(row["caption"][0]) for row in test]
    for one, (groups, standing) in enumerate(scenes):
        there = Counter({tuple(group[1:]): group.number for group in groups})
        cells = {
            thing[:3]: {other[3:] for other in expected_of(groups, standing) if other[:3] == thing[:3]}
            for thing in expected_of(groups, standing)
        }
        for other, (told, place) in enumerate(scenes):
            if one == other:
                continue
            counts_hold = all(there[tuple(group[1:])] == group.number for group in told)
            if counts_hold and len(told) == 1:
                (thing,) = {seen[:3] for seen in expected_of(told, place)}
                assert cells[thing] != {seen[3:] for seen in expected_of(told, place)}
            elif counts_hold:
                assert (told, place) != (groups, standing)


def test_no_test_caption_occurs_in_training(rows: Rows) -> None:
    for kind, column in (("scenes", "caption"), ("scenes_imdb", "text")):
        texts = {
            split: {
                text
                for row in rows[f"{kind}_{split}"]
                for text in ([row[column]] if isinstance(row[column], str) else row[column])
            }
            for split in ("train", "val", "test")
        }
        assert not texts["train"] & texts["test"]
        assert not texts["train"] & texts["val"]
        assert not texts["val"] & texts["test"]


def test_the_language_is_small(rows: Rows) -> None:
    captions = [caption for row in caption_rows(rows) for caption in row["caption"]]
    assert len({word for caption in captions for word in caption.split()}) < 60
    assert max(len(caption.split()) for caption in captions) <= 13


def test_the_ten_classes_can_be_seen(rows: Rows) -> None:
    names = [
        f"{colour} {shape}" for colour in ("red", "green", "blue", "yellow", "purple") for shape in ("circle", "square")
    ]
    counts = Counter(row["label"] for row in rows["scenes_cifar10_train"])
    assert set(counts) == set(range(10))
    assert min(counts.values()) > 20
    for row in rows["scenes_cifar10_test"]:
        picture = np.asarray(Image.open(io.BytesIO(row["image"]))).astype(int)
        ground = np.median(picture.reshape(-1, 3), axis=0)
        inked = np.abs(picture - ground).max(-1) > 60
        colour = np.median(picture[inked], axis=0)
        assert names[row["label"]].split()[0] == min(
            COLOURS, key=lambda name: float(np.abs(np.array(COLOURS[name]) - colour).sum())
        )
        down, across = np.nonzero(inked)
        filled = inked.sum() / ((np.ptp(down) + 1) * (np.ptp(across) + 1))  # of its box: a circle fills pi / 4
        assert ("square" in names[row["label"]]) == (filled > 0.9)


def test_the_text_alone_decides_the_question(rows: Rows) -> None:
    for split in ("train", "val", "test"):
        content = rows[f"scenes_imdb_{split}"]
        assert all(row["label"] == int("circle" in row["text"]) for row in content)
        assert 0.35 < np.mean([row["label"] for row in content]) < 0.65
    assert len({row["text"] for row in rows["scenes_imdb_train"]}) == 500


def test_the_set_is_the_same_everywhere(rows: Rows, tmp_path: Path, make_settings: MakeSettings) -> None:
    """Whatever the seed of the experiment."""
    settings = make_settings(datasets=["scenes"], data_root=str(tmp_path), num_scenes=NUMBER, seed=7)
    open_split(settings, DataNeeds(CAPTIONS, image=True, text=True), "test")
    table = pa.ipc.open_file(str(tmp_path / "scenes_test.arrow")).read_all().to_pylist()
    assert table == rows["scenes_test"]


def test_it_is_drawn_on_first_use(tmp_path: Path, make_settings: MakeSettings) -> None:
    settings = make_settings(datasets=["scenes"], data_root=str(tmp_path / "new"), num_scenes=60)
    assert splits_there(settings, "caption") == ["train", "val", "test"]
    assert len(open_split(settings, DataNeeds(CAPTIONS, image=True, text=True), "train")) == 100
    drawn = {path.name for path in (tmp_path / "new").glob("*.arrow")}
    assert drawn == {"scenes_train.arrow", "scenes_val.arrow", "scenes_test.arrow"}  # and no other kind's
    pictures = open_split(settings, DataNeeds(PICTURES, image=True, text=False), "val")
    assert pictures.class_names is not None
    assert len(pictures.class_names) == 10
    texts = open_split(settings, DataNeeds(REVIEWS, image=False, text=True), "test")
    assert texts.class_names == ["no circle", "circle"]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "new").glob("*.arrow")}
    open_split(settings, DataNeeds(CAPTIONS, image=True, text=True), "val")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "new").glob("*.arrow")} == times


def test_tables_of_two_sizes_are_not_mixed(tmp_path: Path, make_settings: MakeSettings) -> None:
    prepare(make_settings(dataset="scenes", data_root=str(tmp_path), num_scenes=60))
    (tmp_path / "scenes_test.arrow").unlink()
    with pytest.raises(UserError, match=r"was written with num_scenes=60"):
        prepare(make_settings(dataset="scenes", data_root=str(tmp_path), num_scenes=90))


def test_a_run_on_tables_of_another_size_says_so(tmp_path: Path, make_settings: MakeSettings) -> None:
    prepare(make_settings(dataset="scenes", data_root=str(tmp_path), num_scenes=60))
    paths = [tmp_path / "scenes_train.arrow", tmp_path / "scenes_val.arrow"]
    settings = make_settings(datasets=["scenes"], data_root=str(tmp_path), num_scenes=90)
    (remark,) = remarks_on_tables(paths, settings, {"num_scenes", "val_fraction"})
    assert remark.startswith(f"{paths[0]} was written with num_scenes=60 (asked for: 90) and is used as it is")
    assert list(remarks_on_tables(paths, settings, ())) == []
    same = make_settings(datasets=["scenes"], data_root=str(tmp_path), num_scenes=60)
    assert list(remarks_on_tables(paths, same, {"num_scenes"})) == []


@pytest.mark.parametrize("number", [5, 10_000_000])
def test_numbers_that_cannot_be_drawn(tmp_path: Path, make_settings: MakeSettings, number: int) -> None:
    with pytest.raises(UserError, match=f"num_scenes={number:,} is too (few|many)".replace(",", ",?")):
        prepare(make_settings(dataset="scenes", data_root=str(tmp_path), num_scenes=number))
