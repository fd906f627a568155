"""COCO, Visual Genome and image-caption folders, from raw files in their published layouts to tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renaissance.errors import UserError
from tests.data.raw_folders import karpathy, official, picture, prepare, read, write


def _captions(table: Any) -> dict[str, list[str]]:
    return dict(zip(table["image_id"].to_pylist(), table["caption"].to_pylist(), strict=True))


def _images(table: Any) -> dict[str, bytes]:
    return dict(zip(table["image_id"].to_pylist(), table["image"].to_pylist(), strict=True))


def test_karpathy_split_gives_the_published_tables(tmp_path: Path):
    splits = {
        "train": ["train2014/t1.jpg", "train2014/t2.jpg"],
        "restval": ["val2014/r1.jpg"],
        "val": ["val2014/v1.jpg"],
        "test": ["val2014/s1.jpg", "val2014/s2.jpg"],
    }
    written = karpathy(tmp_path / "raw", splits)
    reports = prepare("coco", tmp_path / "raw", tmp_path / "arrow")

    assert {name: (report.rows, report.texts) for name, report in reports.items()} == {
        "coco_caption_karpathy_train": (2, 10),
        "coco_caption_karpathy_restval": (1, 5),
        "coco_caption_karpathy_val": (1, 5),
        "coco_caption_karpathy_test": (2, 10),
    }
    table = read(tmp_path / "arrow" / "coco_caption_karpathy_test.arrow")
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("image", "binary"),
        ("caption", "list<item: string>"),
        ("image_id", "string"),
        ("split", "string"),
    ]
    assert _images(table) == {name: written[name] for name in ("s1.jpg", "s2.jpg")}  # the files' own bytes
    assert _captions(table)["s2.jpg"] == [f"caption {number} of s2.jpg" for number in range(5)]
    assert set(table["split"].to_pylist()) == {"test"}


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_official_split_gives_train_and_val(tmp_path: Path, year: str):
    official(tmp_path / "raw", "train", year, ["1.jpg", "2.jpg", "3.jpg"])
    written = official(tmp_path / "raw", "val", year, ["4.jpg", "5.jpg"])
    reports = prepare("coco", tmp_path, tmp_path / "arrow")  # the folder that holds it

    assert {name: report.rows for name, report in reports.items()} == {
        "coco_caption_karpathy_train": 3,
        "coco_caption_karpathy_val": 2,
    }
    table = read(tmp_path / "arrow" / "coco_caption_karpathy_val.arrow")
    assert _images(table) == written
    assert sorted(_captions(table)["5.jpg"]) == sorted(f"sentence {number} of 5.jpg" for number in range(5))


def test_official_training_file_alone_is_divided(tmp_path: Path):
    names = [f"{number}.jpg" for number in range(20)]
    official(tmp_path / "raw", "train", "2017", names)
    divisions = []
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        prepare("coco", tmp_path / "raw", tmp_path / place, val_fraction=0.25, seed=seed)
        train, val = (
            _captions(read(tmp_path / place / f"coco_caption_karpathy_{split}.arrow")) for split in ("train", "val")
        )
        assert len(val) == 5
        assert not set(train) & set(val)
        assert sorted({**train, **val}) == sorted(names)
        divisions.append(sorted(val))
    assert divisions[0] == divisions[1] != divisions[2]


def test_real_coco(tmp_path: Path, real_data: Path):
    reports = prepare("coco", real_data / "coco", tmp_path)
    assert [(report.rows, report.texts, report.rejected) for report in reports.values()] == [
        (160, 801, 0),
        (40, 200, 0),
    ]
    raw = json.loads((real_data / "coco" / "annotations" / "captions_val2017.json").read_text())
    image = raw["images"][17]
    expected = [item["caption"] for item in raw["annotations"] if item["image_id"] == image["id"]]
    table = read(tmp_path / "coco_caption_karpathy_val.arrow")
    assert _captions(table)[image["file_name"]] == expected
    assert _images(table)[image["file_name"]] == (real_data / "coco" / "val2017" / image["file_name"]).read_bytes()


@pytest.mark.parametrize(
    ("filepath", "filename"),
    [("..", "secret.jpg"), ("train2014", "../../secret.jpg"), ("", "{outside}"), ("{parent}", "secret.jpg")],
)
def test_paths_of_an_annotation_file_do_not_lead_out(tmp_path: Path, filepath: str, filename: str):
    secret = tmp_path / "secret.jpg"
    write(secret, picture(99))
    karpathy(tmp_path / "raw", {"train": ["train2014/a.jpg"], "val": ["val2014/b.jpg"]})
    path = tmp_path / "raw" / "karpathy" / "dataset_coco.json"
    content = json.loads(path.read_text())
    places = {"outside": secret, "parent": tmp_path}
    image = {**content["images"][0], "filepath": filepath.format(**places), "filename": filename.format(**places)}
    write(path, {"images": [image, *content["images"]]})

    prepare("coco", tmp_path / "raw", tmp_path / "arrow", max_rejected_fraction=0.5)
    assert list(_images(read(tmp_path / "arrow" / "coco_caption_karpathy_train.arrow"))) == ["a.jpg"]
    listed = (tmp_path / "arrow" / "coco_caption_karpathy_train.rejected.csv").read_text()
    assert "leads out of" in listed


@pytest.mark.parametrize(
    "content",
    ["", "[1, 2]", '{"images": 3}', '{"images": [{"filename": "a.jpg"}]}', "[" * 100_000, '{"images": [null]}'],
)
def test_damaged_annotations_are_named(tmp_path: Path, content: str):
    karpathy(tmp_path, {"train": ["train2014/a.jpg"], "val": ["val2014/b.jpg"]})
    write(tmp_path / "karpathy" / "dataset_coco.json", content)
    with pytest.raises(UserError, match=r"dataset_coco\.json"):
        prepare("coco", tmp_path, tmp_path / "arrow")


def test_text_that_arrow_cannot_hold_is_mended(tmp_path: Path):
    karpathy(tmp_path, {"train": ["train2014/a.jpg"], "val": ["val2014/b.jpg"]}, captions=1)
    path = tmp_path / "karpathy" / "dataset_coco.json"
    write(path, path.read_text().replace("caption 0 of a.jpg", r"half \ud83d an emoji"))
    prepare("coco", tmp_path, tmp_path / "arrow")
    table = read(tmp_path / "arrow" / "coco_caption_karpathy_train.arrow")
    assert _captions(table) == {"a.jpg": ["half ? an emoji"]}


def _genome(root: Path) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "regions": [
                {"region_id": 1, "image_id": number, "phrase": f"thing {part} of {number}", "x": part, "y": 2 * part}
                | {"width": 10 + part, "height": 20 + part}
                for part in range(number)
            ],
        }
        for number in range(1, 5)
    ]


@pytest.mark.parametrize("in_folder", ["images/", ""])
def test_visual_genome(tmp_path: Path, in_folder: str):
    root = tmp_path / "raw"
    write(root / "annotations" / "region_descriptions.json", _genome(root))
    for number in range(1, 5):
        folder = "VG_100K" if number % 2 else "VG_100K_2"
        write(root / f"{in_folder}{folder}" / f"{number}.jpg", picture(number))
    reports = prepare("vg", root, tmp_path / "arrow")

    assert (reports["vg"].rows, reports["vg"].texts) == (4, 10)
    table = read(tmp_path / "arrow" / "vg.arrow")
    assert table.schema.names == ["image", "caption", "width", "height", "x", "y", "image_id"]
    row = table.slice(2, 1).to_pylist()[0]
    assert row == {
        "image": picture(3),
        "caption": ["thing 0 of 3", "thing 1 of 3", "thing 2 of 3"],
        "width": [10, 11, 12],
        "height": [20, 21, 22],
        "x": [0, 1, 2],
        "y": [0, 2, 4],
        "image_id": "3",
    }


def test_real_regions_of_visual_genome(tmp_path: Path, real_data: Path):
    """The text is real, the pictures are ours."""
    source = real_data / "vg" / "annotations" / "region_descriptions.json"
    raw = json.loads(source.read_text())
    write(tmp_path / "raw" / "annotations" / source.name, source.read_bytes())
    for image in raw:
        write(tmp_path / "raw" / "images" / "VG_100K" / f"{image['id']}.jpg", picture(image["id"]))
    reports = prepare("vg", tmp_path, tmp_path / "arrow")
    assert reports["vg"].rows == len(raw)
    assert reports["vg"].texts == sum(len(image["regions"]) for image in raw)
    table = read(tmp_path / "arrow" / "vg.arrow")
    assert table["caption"].to_pylist() == [[region["phrase"] for region in image["regions"]] for image in raw]


@pytest.mark.parametrize("fault", ['"id": "x"', '"id": null', '"id": 1e30', '"regions": [{"phrase": null}]', '"x": 1'])
def test_damaged_regions_are_named(tmp_path: Path, fault: str):
    (tmp_path / "images" / "VG_100K").mkdir(parents=True)
    key = fault.split(":")[0].strip('"')
    image: dict[str, Any] = {"id": 1, "regions": []} | json.loads("{" + fault + "}")
    if key == "x":
        image = {"id": 1}
    write(tmp_path / "annotations" / "region_descriptions.json", [image])
    with pytest.raises(UserError, match=r"region_descriptions\.json: image number 0"):
        prepare("vg", tmp_path, tmp_path / "arrow")


def test_folder_with_a_csv_of_several_captions_an_image(tmp_path: Path):
    root = tmp_path / "birds"
    lines = ["image,caption"]
    for number in range(10):
        write(root / "images" / f"{number}.png", picture(number, "PNG"))
        lines += [f'{number}.png,"a bird, number {number}"', f"{number}.png,it flies"]
    write(root / "captions.csv", "\n".join(lines))
    reports = prepare("folder", root, tmp_path / "arrow", val_fraction=0.2)  # named as the folder

    assert {name: (report.rows, report.texts) for name, report in reports.items()} == {
        "birds_train": (8, 16),
        "birds_val": (2, 4),
    }
    rows = {
        **_captions(read(tmp_path / "arrow" / "birds_train.arrow")),
        **_captions(read(tmp_path / "arrow" / "birds_val.arrow")),
    }
    assert rows == {f"{number}.png": [f"a bird, number {number}", "it flies"] for number in range(10)}


@pytest.mark.parametrize("columns", [("file_name", "text"), ("image", "caption")])
def test_folder_with_json_lines_and_a_split_column(tmp_path: Path, columns: tuple[str, str]):
    splits = ["train", "train", "validation", "test"]
    lines = [
        json.dumps({columns[0]: f"deep/down/{number}.jpg", columns[1]: f"text {number}", "split": split})
        for number, split in enumerate(splits)
    ]
    write(tmp_path / "raw" / "metadata.jsonl", "\n".join(lines) + "\n")
    for number in range(4):
        write(tmp_path / "raw" / "deep" / "down" / f"{number}.jpg", picture(number))
    reports = prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert {name: report.rows for name, report in reports.items()} == {"mine_train": 2, "mine_val": 1, "mine_test": 1}
    assert _captions(read(tmp_path / "arrow" / "mine_test.arrow")) == {"3.jpg": ["text 3"]}


def test_folder_divided_into_folders(tmp_path: Path):
    for place, split in enumerate(("train", "val", "test")):
        for number in range(3):
            write(tmp_path / "raw" / split / f"{number}.jpg", picture(10 * place + number))
        lines = [json.dumps({"file_name": f"{number}.jpg", "text": f"{split} {number}"}) for number in range(3)]
        write(tmp_path / "raw" / split / "metadata.jsonl", "\n".join(lines))
    prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    table = read(tmp_path / "arrow" / "mine_test.arrow")
    assert _images(table) == {f"{number}.jpg": picture(20 + number) for number in range(3)}
    assert _captions(table)["1.jpg"] == ["test 1"]


def test_folder_divided_by_the_paths_of_its_images(tmp_path: Path):
    names = ["train/a.jpg", "train/b.jpg", "train/c.jpg", "test/a.jpg"]
    write(tmp_path / "raw" / "captions.csv", "image,caption\n" + "\n".join(f"{name},of {name}" for name in names))
    for number, name in enumerate(names):
        write(tmp_path / "raw" / name, picture(number))
    reports = prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert {name: report.rows for name, report in reports.items()} == {"mine_train": 2, "mine_val": 1, "mine_test": 1}
    assert _captions(read(tmp_path / "arrow" / "mine_test.arrow")) == {"a.jpg": ["of test/a.jpg"]}


def test_folder_whose_images_lie_anywhere_below(tmp_path: Path):
    places = {"a.jpg": ["1"], "b.jpg": ["2"], "c.jpg": ["1", "2"], "d.jpg": ["2/3"]}  # which c.jpg is not known
    write(
        tmp_path / "raw" / "captions.csv",
        "image,caption,split\n" + "".join(f"{name},of {name},train\n" for name in places),
    )
    for name, folders in places.items():
        for folder in folders:
            write(tmp_path / "raw" / "Pictures" / folder / name, picture(ord(name[0]) + len(folder)))
    write(tmp_path / "raw" / "captions.csv", (tmp_path / "raw" / "captions.csv").read_text() + "a.jpg,again,val\n")
    prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine", max_rejected_fraction=0.3)
    table = read(tmp_path / "arrow" / "mine_train.arrow")
    assert _images(table) == {"a.jpg": picture(98), "b.jpg": picture(99), "d.jpg": picture(103)}
    assert "c.jpg" in (tmp_path / "arrow" / "mine_train.rejected.csv").read_text()


@pytest.mark.parametrize("name", ["captions.csv", "metadata.jsonl"])
def test_a_picture_is_one_row_however_its_path_is_spelled(tmp_path: Path, name: str):
    """Otherwise the seeded validation split could hold a picture that training sees."""
    spellings = ("img/{}.png", "img\\{}.png", "./img/{}.png", "img//{}.png", ".\\img\\.\\{}.png")
    pairs = [(spelling.format(number), spelling) for spelling in spellings for number in range(4)]
    in_csv = "image,caption\n" + "".join(f"{image},{caption}\n" for image, caption in pairs)
    in_json = "".join(json.dumps({"image": image, "caption": caption}) + "\n" for image, caption in pairs)
    write(tmp_path / "raw" / name, in_csv if name == "captions.csv" else in_json)
    pictures = {
        f"{number}.png": write(tmp_path / "raw" / "img" / f"{number}.png", picture(number)) for number in range(4)
    }
    reports = prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine", val_fraction=0.5)
    assert {table: report.rows for table, report in reports.items()} == {"mine_train": 2, "mine_val": 2}
    train, val = (read(tmp_path / "arrow" / f"mine_{split}.arrow") for split in ("train", "val"))
    assert _images(train) | _images(val) == pictures
    assert _captions(train) | _captions(val) == {image: list(spellings) for image in pictures}


@pytest.mark.parametrize("spelling", ["test\\{}.jpg", "./test/{}.jpg", "test//{}.jpg"])
def test_the_split_that_a_path_names_does_not_depend_on_its_spelling(tmp_path: Path, spelling: str):
    names = ["train/a.jpg", "train/b.jpg", "test/c.jpg", spelling.format("c"), spelling.format("d")]
    write(tmp_path / "raw" / "captions.csv", "image,caption\n" + "".join(f"{name},{name}\n" for name in names))
    for number, name in enumerate(("train/a.jpg", "train/b.jpg", "test/c.jpg", "test/d.jpg")):
        write(tmp_path / "raw" / name, picture(number))
    reports = prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert {table: report.rows for table, report in reports.items()} == {"mine_train": 1, "mine_val": 1, "mine_test": 2}
    assert _captions(read(tmp_path / "arrow" / "mine_test.arrow")) == {"c.jpg": names[2:4], "d.jpg": names[4:]}


def test_real_folder(tmp_path: Path, real_data: Path):
    reports = prepare("folder", real_data, tmp_path, dataset_name="flickr8k")  # the folder that holds it
    assert [(report.rows, report.texts) for report in reports.values()] == [(675, 3375), (75, 375)]
    assert list(reports) == ["flickr8k_train", "flickr8k_val"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "captions.csv",
            "picture;words\na.jpg;one\n",
            r"line 2 \(.* columns are picture;words",
        ),
        ("captions.csv", "image,caption\na.jpg\n", r"line 2 \(it has 1 field "),
        ("captions.csv", "image,caption,split\na.jpg,one,practice\n", "the split 'practice'"),
        ("captions.csv", b"image,caption\na.jpg,caf\xe9\n", "should be UTF-8"),
        ("captions.csv", "image,caption\n", "no line for training"),
        ("metadata.jsonl", '{"file_name": "a.jpg", "text": "one"}\n{"file_name": ', r"line 2 \(it is no JSON"),
        ("metadata.jsonl", "[1]\n", r"line 1 \(it is no JSON object"),
        ("metadata.jsonl", '{"file_name": "a.jpg", "text": 3}\n', r"line 1 \(it has no image or caption"),
    ],
)
def test_damaged_captions_are_named(tmp_path: Path, name: str, content: str | bytes, message: str):
    write(tmp_path / name, content)
    with pytest.raises(UserError, match=message) as caught:
        prepare("folder", tmp_path, tmp_path / "arrow", dataset_name="mine")
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["../out", "a/b", "coco", ".hidden"])
def test_names_that_a_table_cannot_have(tmp_path: Path, name: str):
    write(tmp_path / "captions.csv", "image,caption\na.jpg,one\n")
    with pytest.raises(UserError, match="dataset_name"):
        prepare("folder", tmp_path, tmp_path / "arrow", dataset_name=name)


def test_several_folders_to_choose_from(tmp_path: Path):
    for name in ("cats", "dogs"):
        write(tmp_path / name / "captions.csv", "image,caption\n1.jpg,one\n2.jpg,two\n")
        for number in (1, 2):
            write(tmp_path / name / f"{number}.jpg", picture(number))
    with pytest.raises(UserError, match="cats, dogs"):
        prepare("folder", tmp_path, tmp_path / "arrow", dataset_name="pets")
    assert "dogs_train" in prepare("folder", tmp_path, tmp_path / "arrow", dataset_name="dogs")
