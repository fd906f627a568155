"""The sample set's tables of five kinds: their layouts, and a reader of its own that finds answers in the scenes."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from renaissance.data.scene.content import Thing
from renaissance.data.scene.placing import place_freely
from renaissance.data.sets import data_sets
from renaissance.data.tables.find import find_tables, splits_there
from renaissance.settings import Settings

from .conftest import SceneTables

Row = dict[str, Any]
Told = dict[str, Any]
SIDE = 96
SPLITS = {
    "snli": ("train", "val", "test"),
    "mrpc": ("train", "val", "test"),
    "nlvr2": ("train", "val", "test1"),
    "ref": ("train", "val", "testA", "testB"),
    "vqa": ("train", "val", "test"),
}
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")
SHAPES = ("circle", "square", "triangle", "cross")
TEXTS, INTEGERS = pa.list_(pa.string()), pa.list_(pa.int64())
LAYOUTS = {
    "snli": {"image": pa.binary(), "sentences": TEXTS, "labels": INTEGERS, "sentence_id": TEXTS,
             "image_id": pa.string(), "scene": pa.string()},
    "mrpc": {"text_a": pa.string(), "text_b": pa.string(), "label": pa.int64(), "text_id": pa.string(),
             "scene_a": pa.string(), "scene_b": pa.string()},
    "nlvr2": {"image_0": pa.binary(), "image_1": pa.binary(), "questions": TEXTS, "answers": TEXTS,
              "identifier": pa.string(), "scene_0": pa.string(), "scene_1": pa.string()},
    "ref": {"image": pa.binary(), "sentences": TEXTS, "bboxes": pa.list_(INTEGERS), "labels": pa.int64(),
            "image_id": pa.string(), "scene": pa.string()},
    "vqa": {"image": pa.binary(), "questions": TEXTS, "answers": pa.list_(TEXTS), "answer_labels": pa.list_(INTEGERS),
            "answer_scores": pa.list_(pa.list_(pa.float64())), "image_id": pa.string(), "question_id": INTEGERS,
            "split": pa.string(), "scene": pa.string()},
}  # fmt: skip
LABEL_NAMES = {
    "snli": ["contradiction", "neutral", "entailment"],
    "mrpc": ["different", "same"],
    "vqa": [*COLOURS, "0", "1", "2", "3", "no", "yes"],
}


def rows_of(tables: SceneTables, schema_name: str, *splits: str) -> list[Row]:
    return [
        row for split in splits or SPLITS[schema_name] for row in tables[f"scenes_{schema_name}_{split}"].to_pylist()
    ]


def things_in(scene: str) -> list[Told]:
    return list(json.loads(scene)["things"])


def centre(box: list[int]) -> tuple[float, float]:
    x, y, width, height = box
    return x + width / 2, y + height / 2


def pixels(png: bytes) -> NDArray[np.int64]:
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG"
    return np.asarray(picture).astype(np.int64)


@pytest.mark.parametrize("schema_name", SPLITS)
def test_the_columns(scene_tables: SceneTables, schema_name: str) -> None:
    assert data_sets()["scenes"].splits(schema_name, Path()) == SPLITS[schema_name]
    for split in SPLITS[schema_name]:
        schema = scene_tables[f"scenes_{schema_name}_{split}"].schema
        assert {field.name: field.type for field in schema} == LAYOUTS[schema_name]
        names = (schema.metadata or {}).get(b"label_names")
        assert (json.loads(names) if names else None) == LABEL_NAMES.get(schema_name)


def test_their_sizes(scene_tables: SceneTables) -> None:
    sizes = {name.removeprefix("scenes_"): len(table) for name, table in scene_tables.items()}
    assert sizes == {
        "snli_train": 750, "snli_val": 75, "snli_test": 75, "mrpc_train": 1500, "mrpc_val": 150, "mrpc_test": 150,
        "nlvr2_train": 750, "nlvr2_val": 75, "nlvr2_test1": 75, "vqa_train": 750, "vqa_val": 75, "vqa_test": 75,
        "ref_train": 750, "ref_val": 50, "ref_testA": 50, "ref_testB": 50,
    }  # fmt: skip


def test_only_the_kind_asked_for_is_drawn_with_its_own_splits(
    tmp_path: Path, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(datasets=["scenes"], data_root=str(tmp_path), num_scenes=24)
    assert splits_there(settings, "ref") == ["train", "val", "testA", "testB"]
    assert list(find_tables(settings, "ref", "testB")) == [tmp_path / "scenes_ref_testB.arrow"]
    assert {path.stem for path in tmp_path.glob("*.arrow")} == {f"scenes_ref_{split}" for split in SPLITS["ref"]}


@pytest.mark.parametrize("schema_name", SPLITS)
def test_no_picture_scene_or_name_is_in_two_splits(scene_tables: SceneTables, schema_name: str) -> None:
    def told(row: Row) -> Iterator[tuple[str, Any]]:
        for column, value in row.items():
            if column.startswith("image_id") or column.endswith("_id") or column == "identifier":
                yield from ((column, each) for each in (value if isinstance(value, list) else [value]))
            elif column.startswith("image"):
                yield "image", value
            elif column.startswith("scene"):
                yield "scene", without_small_moves(value)

    def without_small_moves(scene: str) -> str | None:
        """The things and their places to a cell of 4 x 4 (or corner); None where a thing is about a cell's edge."""
        content = json.loads(scene)
        if schema_name == "mrpc":
            return scene
        if "standing" in content:  # places that have names
            return json.dumps(content | {"things": [thing | {"box": None} for thing in content["things"]]})
        cell = SIDE / (2 if schema_name == "snli" else 4)
        for thing in content["things"]:
            left, up, width, height = thing.pop("box")
            middle = left + width / 2, up + height * (2 / 3 if thing["shape"] == "triangle" else 1 / 2)
            if any(abs((place + cell / 2) % cell - cell / 2) < 3 for place in middle):
                return None
            thing["cell"] = [place // cell for place in middle]
            thing.pop("share", None)
        content["things"].sort(key=str)
        return json.dumps(content)

    by_split = [
        {each for row in rows_of(scene_tables, schema_name, split) for each in told(row)} - {("scene", None)}
        for split in SPLITS[schema_name]
    ]
    assert all(by_split)
    for one, other in itertools.combinations(by_split, 2):
        assert not one & other


def test_snli_answers_are_those_of_the_scene(scene_tables: SceneTables) -> None:
    for row in rows_of(scene_tables, "snli"):
        x, y, width, height = json.loads(row["scene"])["cover"]
        assert len(set(row["sentence_id"])) == len(row["sentences"]) == len(row["labels"])
        for sentence, label in zip(row["sentences"], row["labels"], strict=True):
            (colour, shape), (down, across) = (
                re.search(rf"({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})", sentence).groups(),  # type: ignore[union-attr]
                re.search(r"(top|bottom) (left|right) corner", sentence).groups(),  # type: ignore[union-attr]
            )
            corner = (24 + 48 * (across == "right"), 24 + 48 * (down == "bottom"))
            there = [
                thing
                for thing in things_in(row["scene"])
                if all(abs(a - b) < 24 for a, b in zip(centre(thing["box"]), corner, strict=True))
            ]
            covered = x <= corner[0] < x + width and y <= corner[1] < y + height
            assert len(there) == (0 if covered else 1)
            proven = any((thing["colour"], thing["shape"]) == (colour, shape) for thing in there)
            assert LABEL_NAMES["snli"][label] == (
                "neutral" if covered else "entailment" if proven else "contradiction"
            ), (sentence, row["scene"])


def test_the_cover_covers_and_what_is_told_is_seen(scene_tables: SceneTables) -> None:
    for row in rows_of(scene_tables, "snli", "test"):
        picture = pixels(row["image"])
        x, y, width, height = json.loads(row["scene"])["cover"]
        cover = picture[y : y + height, x : x + width].reshape(-1, 3)
        assert width * height == SIDE * SIDE / 2
        uncovered = picture[SIDE - 1 if y == 0 else 0, SIDE - 1 if x == 0 else 0]
        assert (cover == cover[0]).all()
        assert 140 < cover[0, 0] < 180
        for thing in things_in(row["scene"]):
            left, up, across, down = thing["box"]
            seen = picture[up : up + down, left : left + across]
            assert not (seen == cover[0]).all(axis=-1).any()
            assert np.abs(seen[down // 2, across // 2] - uncovered).max() > 50


WORDS = {
    "little": "small", "big": "large", "scarlet": "red", "amber": "orange", "golden": "yellow", "emerald": "green",
    "azure": "blue", "violet": "purple", "rose": "pink", "ebony": "black", "disc": "circle", "box": "square",
    "wedge": "triangle", "plus": "cross", "discs": "circle", "boxes": "square", "wedges": "triangle",
    "pluses": "cross", "circles": "circle", "squares": "square", "triangles": "triangle", "crosses": "cross",
}  # fmt: skip


def understood(text: str) -> dict[str, Any]:
    """What a sentence tells, as the column `scene_a` has it."""
    relation = re.search(r" (?:to the )?(left of|right of|above|below|over|under) ", text)
    assert relation is not None
    groups = []
    for part in (text[: relation.start()], text[relation.end() :]):
        count, *names = re.sub(r"^there (is|are) ", "", part).split()
        size, colour, shape = (WORDS.get(name, name) for name in names)
        groups.append([{"size": size, "colour": colour, "shape": shape}] * {"one": 1, "two": 2}[count])
    if relation[1] in ("right of", "below", "under"):
        groups.reverse()
    return {"things": groups[0] + groups[1], "standing": "row" if " of" in relation[1] else "column"}


def test_mrpc_answers_are_those_of_the_scenes(scene_tables: SceneTables) -> None:
    for row in rows_of(scene_tables, "mrpc"):
        one, other = json.loads(row["scene_a"]), json.loads(row["scene_b"])
        assert (understood(row["text_a"]), understood(row["text_b"])) == (one, other)
        assert row["text_a"] != row["text_b"]
        assert LABEL_NAMES["mrpc"][row["label"]] == ("same" if one == other else "different")
        differing = {
            (first["size"] != second["size"], first["colour"] != second["colour"], first["shape"] != second["shape"])
            for first, second in zip(one["things"], other["things"], strict=True)
        } - {(False, False, False)}
        assert sum(sum(each) for each in differing) in ({0} if one == other else {1, 2, 3, 4, 5, 6})


def nlvr2_truth(statement: str, left: list[Told], right: list[Told]) -> bool:
    form = re.fullmatch(r"(.+) shows? (one|two) (\w+) (\w+) (\w+)", statement)
    assert form is not None
    words, count, size, colour, noun = form.groups()
    told = {"size": size, "colour": colour, "shape": WORDS.get(noun, noun)}
    shown = [
        sum(told.items() <= thing.items() for thing in things) == {"one": 1, "two": 2}[count]
        for things in (left, right)
    ]
    return {
        "the left picture": shown[0],
        "the right picture": shown[1],
        "both pictures": all(shown),
        "one picture alone": sum(shown) == 1,
    }[words]


def test_nlvr2_answers_are_those_of_the_scenes(scene_tables: SceneTables) -> None:
    for row in rows_of(scene_tables, "nlvr2"):
        left, right = things_in(row["scene_0"]), things_in(row["scene_1"])
        truths = [str(nlvr2_truth(statement, left, right)) for statement in row["questions"]]
        assert row["answers"] == truths, row
        assert row["image_0"] != row["image_1"]
        assert len(truths) == 2


def test_ref_phrases_fit_one_thing(scene_tables: SceneTables) -> None:
    numbers = set()
    for row in rows_of(scene_tables, "ref"):
        things = things_in(row["scene"])
        numbers.add(len(things))
        assert row["bboxes"] == [thing["box"] for thing in things]
        for phrase in row["sentences"]:
            name, *side = re.split(r" (?=on the |at the )", phrase.removeprefix("the "))
            words = set(name.split()) - {"thing"}
            fitting = [
                place for place, thing in enumerate(things) if words <= {thing["size"], thing["colour"], thing["shape"]}
            ]
            if side:
                assert len(fitting) > 1  # or the place would not be needed
                axis, least = {"left": (0, True), "right": (0, False), "top": (1, True), "bottom": (1, False)}[
                    side[0].split()[-1]
                ]
                fitting = [place for place in fitting if (centre(things[place]["box"])[axis] < SIDE / 2) == least]
            assert fitting == [row["labels"]], (phrase, row["scene"])
    assert numbers == {2, 3, 4}


def test_ref_splits_ask_by_attributes_and_by_place(scene_tables: SceneTables) -> None:
    placed = {
        split: [bool(re.search(r" (on|at) the ", text)) for row in rows_of(scene_tables, "ref", split)
                for text in row["sentences"]]
        for split in SPLITS["ref"]
    }  # fmt: skip
    assert not any(placed["testA"])
    assert all(placed["testB"])
    assert 0.4 < np.mean(placed["train"]) < 0.6


def test_every_thing_is_in_its_box_and_nothing_elsewhere(scene_tables: SceneTables) -> None:
    for schema_name, image, scene in (
        ("ref", "image", "scene"),
        ("vqa", "image", "scene"),
    ):
        for row in rows_of(scene_tables, schema_name, SPLITS[schema_name][1]):
            picture = pixels(row[image])
            inked = np.abs(picture - np.median(picture.reshape(-1, 3), axis=0)).max(axis=-1) > 60
            boxes = [thing["box"] for thing in things_in(row[scene])]
            for left, up, across, down in boxes:
                inside = inked[max(up - 1, 0) : up + down + 1, max(left - 1, 0) : left + across + 1]
                assert inside.any(axis=0).sum() >= across - 2  # the box is no wider and no higher than the thing
                assert inside.any(axis=1).sum() >= down - 2
                inked[max(up - 1, 0) : up + down + 1, max(left - 1, 0) : left + across + 1] = False
            assert not inked.any()


def vqa_answer(question: str, things: list[Told]) -> set[str]:
    def of(shape: str) -> list[Told]:
        return [thing for thing in things if thing["shape"] == shape]

    if colour := re.fullmatch(r"what colour is the (\w+)\?", question):
        (thing,) = of(colour[1])
        return {thing["colour"], thing.get("second_colour", thing["colour"])}
    if count := re.fullmatch(r"how many (\w+?)(?:es|s) are there\?", question):
        return {str(len(of(count[1]) or of(count[1] + "e")))}
    if present := re.fullmatch(r"is there an? (\w+) (\w+)\?", question):
        return {"yes" if any(thing["colour"] == present[1] for thing in of(present[2])) else "no"}
    related = re.fullmatch(r"is the (\w+) (left of|right of|above|below) the (\w+)\?", question)
    assert related is not None
    (first,), (second,) = of(related[1]), of(related[3])
    axis = 0 if " of" in related[2] else 1
    distance = centre(second["box"])[axis] - centre(first["box"])[axis]
    assert abs(distance) > 4
    return {"yes" if (distance > 0) == (related[2] in ("left of", "above")) else "no"}


def test_vqa_answers_are_those_of_the_scene(scene_tables: SceneTables) -> None:
    several: list[list[float]] = []
    for row in rows_of(scene_tables, "vqa", "train", "val"):
        things = things_in(row["scene"])
        columns = (row["questions"], row["answers"], row["answer_labels"], row["answer_scores"], row["question_id"])
        for question, answers, labels, scores, _ in zip(*columns, strict=True):
            possible = vqa_answer(question, things)
            assert set(answers) <= possible, (question, row["scene"])
            assert [LABEL_NAMES["vqa"][label] for label in labels] == answers
            assert len(scores) == len(answers) == len(set(answers)) > 0
            assert set(scores) <= {0.3, 0.6, 0.9, 1.0}
            assert scores == sorted(scores, reverse=True)
            assert scores[0] == 1.0
            several += [scores] if len(scores) > 1 else []
    assert {scores[-1] for scores in several} == {0.3, 0.6, 0.9, 1.0}


def test_vqa_keeps_the_answers_of_its_test_split_back(scene_tables: SceneTables) -> None:
    for row in rows_of(scene_tables, "vqa", "test"):
        assert len(row["questions"]) == len(row["question_id"]) == 3
        assert row["answers"] == row["answer_labels"] == row["answer_scores"] == [[], [], []]
        assert row["split"] == "test"


def test_things_that_do_not_fit_are_given_up() -> None:
    """Nine large triangles have no room; whoever draws takes other things rather than trying for ever."""
    triangle = Thing("large", "red", "triangle")
    random = np.random.default_rng(0)
    assert place_freely([triangle] * 9, random) == []
    assert len(place_freely([triangle] * 2, random)) == 2
