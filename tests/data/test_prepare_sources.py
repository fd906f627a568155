"""Hugging Face's data sets, Parquet and tar shards, written by their own libraries, to tables; hostile ones refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from renaissance import processes
from renaissance.data.preparing import table_files, writing
from renaissance.data.preparing.prepare import prepare as prepare_command
from renaissance.errors import UserError
from tests.data.raw_folders import picture, prepare, read, shard, write

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = [f"{number:03d}.png" for number in range(14)]
ROWS = [(name, picture(number, "PNG"), [f"picture {number}", f"a {number}"]) for number, name in enumerate(NAMES)]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Write = Callable[[Path, str], None]


def _contents(arrow: Path, split: str, name: str = "mine") -> list[dict[str, Any]]:
    return sorted(read(arrow / f"{name}_{split}.arrow").to_pylist(), key=lambda row: str(row["image_id"]))


def write_folder(root: Path, split: str = "") -> None:
    lines = [f"{name},{caption}" for name, _, captions in ROWS for caption in captions]
    write(root / "captions.csv", "image,caption\n" + "\n".join(lines))
    for name, data, _ in ROWS:
        write(root / "images" / name, data)


def write_parquet(root: Path, split: str = "train") -> None:
    for part, rows in enumerate((ROWS[:9], ROWS[9:])):
        images = [{"bytes": data, "path": name} for name, data, _ in rows]
        table = pa.table({"image": pa.array(images, IMAGE), "text": [captions for *_, captions in rows]})
        path = root / "data" / f"{split}-{part:05d}-of-00002.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, row_group_size=4)


def write_saved(root: Path, split: str = "train") -> None:
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.List(datasets.Value("string"))})
    rows = [{"image": {"bytes": data, "path": name}, "caption": captions} for name, data, captions in ROWS]
    data = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({split: data}).save_to_disk(str(root), num_shards={split: 3})


def write_shards(root: Path, split: str = "") -> None:
    for part, rows in enumerate((ROWS[:5], ROWS[5:])):
        files = {}
        for name, data, captions in rows:
            files[name] = data
            files[name.replace(".png", ".json")] = json.dumps({"caption": captions}).encode()
        shard(root / f"{part:04d}.tar", files)


SOURCES: dict[str, tuple[str, Write]] = {
    "parquet": ("parquet", write_parquet),
    "parquet of the hub": ("huggingface", write_parquet),
    "save_to_disk": ("huggingface", write_saved),
    "shards": ("webdataset", write_shards),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_gives_the_tables_of_a_folder_of_the_same_pictures(tmp_path: Path, source: str):
    """With the same pictures held out: they are drawn by what they are, and not by where they lie."""
    dataset, write_source = SOURCES[source]
    write_folder(tmp_path / "folder")
    prepare("folder", tmp_path / "folder", tmp_path / "expected", dataset_name="mine", val_fraction=0.3)
    write_source(tmp_path / "source", "train")
    reports = prepare(dataset, tmp_path / "source", tmp_path / "arrow", dataset_name="mine", val_fraction=0.3)
    assert {name: (report.rows, report.texts) for name, report in reports.items()} == {
        "mine_train": (10, 20),
        "mine_val": (4, 8),
    }
    for split in ("train", "val"):
        assert _contents(tmp_path / "arrow", split) == _contents(tmp_path / "expected", split)
        schemas = [read(tmp_path / place / f"mine_{split}.arrow").schema for place in ("arrow", "expected")]
        assert schemas[0].equals(schemas[1])


def test_processes_and_interruptions_change_no_byte(tmp_path: Path, monkeypatch):
    write_shards(tmp_path / "source")
    monkeypatch.setattr(writing, "ROWS_A_PART", 3)
    prepare("webdataset", tmp_path / "source", tmp_path / "1", dataset_name="mine")
    monkeypatch.setattr(processes, "ALONE_SECONDS", 0)
    prepare("webdataset", tmp_path / "source", tmp_path / "2", dataset_name="mine", processes=2)

    monkeypatch.setattr(processes, "ALONE_SECONDS", 100)
    made = []

    def make(row: Any) -> dict[str, object]:
        made.append(row.key)
        if len(made) == 7:
            raise KeyboardInterrupt
        return whole(row)

    from renaissance.data.preparing import tar_shards

    whole = tar_shards.make_shard_row
    make.__module__, make.__qualname__ = whole.__module__, whole.__qualname__  # the parts are named after it
    monkeypatch.setattr("renaissance.data.sets.webdataset.make_shard_row", make)
    with pytest.raises(KeyboardInterrupt):
        prepare("webdataset", tmp_path / "source", tmp_path / "3", dataset_name="mine")
    assert not list((tmp_path / "3").glob("*.arrow"))
    before = list(made)
    prepare("webdataset", tmp_path / "source", tmp_path / "3", dataset_name="mine")
    assert set(before[:6]).isdisjoint(made[len(before) :])  # two parts of three were whole
    for split in ("train", "val"):
        first, *others = [(tmp_path / place / f"mine_{split}.arrow").read_bytes() for place in "123"]
        assert others == [first, first]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_splits_of_a_source_are_taken(tmp_path: Path, source: str, split: str):
    dataset = SOURCES[source][0]
    if dataset == "webdataset":
        write_shards(tmp_path / "source" / "train")
        write_shards(tmp_path / "source" / split)
    elif source == "save_to_disk":
        write_saved(tmp_path / "one", "train")
        data = datasets.load_from_disk(str(tmp_path / "one"))["train"]
        datasets.DatasetDict({"train": data, split: data}).save_to_disk(str(tmp_path / "source"))
    else:
        write_parquet(tmp_path / "source", "train")
        write_parquet(tmp_path / "source", split)
    reports = prepare(dataset, tmp_path / "source", tmp_path / "arrow", dataset_name="mine", val_fraction=0.5)
    expected = {"mine_train": 14, "mine_val": 14} if split == "validation" else {"mine_train": 7, "mine_val": 7}
    expected |= {"mine_test": 14} if split == "test" else {}
    assert {name: report.rows for name, report in reports.items()} == expected


@pytest.mark.parametrize(
    ("train", "held_out", "split"),
    [
        ("train2017/0", "val2017/0", "val"),
        ("train2014", "test2014", "test"),
        ("default/partial-train/0000", "default/partial-validation/0000", "val"),
    ],
)
def test_pictures_of_another_split_never_become_training(tmp_path: Path, train: str, held_out: str, split: str):
    for name, first in ((train, 0), (held_out, 10)):
        images = [picture(first + number) for number in range(4)]
        write_table(tmp_path / "raw" / f"{name}.parquet", {"image": images, "caption": list("abcd")})
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    found = {row["image"] for row in _contents(tmp_path / "arrow", split)}
    assert found == {picture(10 + number) for number in range(4)}
    assert not found & {row["image"] for row in _contents(tmp_path / "arrow", "train")}


def test_rows_that_name_their_split(tmp_path: Path):
    splits = ["train", "train", "restval", "val", "test", "practice"]
    images = [picture(number) for number in range(6)]
    write_table(tmp_path / "test.parquet", {"image": images, "caption": list("abcdef"), "split": splits})
    options = {"dataset_name": "mine", "max_rejected_fraction": 0.5}
    reports = prepare("parquet", tmp_path, tmp_path / "arrow", **options)
    assert {name: report.rows for name, report in reports.items()} == {"mine_train": 3, "mine_val": 1, "mine_test": 1}
    assert "'practice' is none of" in (tmp_path / "arrow" / "mine_test.rejected.csv").read_text()


def write_table(path: Path, columns: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)
    return path


@pytest.mark.parametrize("form", ["bytes", "large", "view", "path", "struct with a path"])
def test_images_in_every_form(tmp_path: Path, form: str):
    data = [picture(number) for number in range(4)]
    names = [f"{number}.jpg" for number in range(4)]
    if "path" in form:
        for name, image in zip(names, data, strict=True):
            write(tmp_path / "raw" / "pictures" / name, image)
        paths = [f"pictures/{name}" for name in names]
    column: Any = {
        "bytes": lambda: pa.array(data),
        "large": lambda: pa.array(data, pa.large_binary()),
        "view": lambda: pa.array(data, pa.binary_view()),
        "path": lambda: pa.array(paths),
        "struct with a path": lambda: pa.array([{"bytes": None, "path": path} for path in paths], IMAGE),
    }[form]()
    write_table(tmp_path / "raw" / "a.parquet", {"jpg": column, "caption": list("abcd"), "number": [1, 2, 3, 4]})
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    rows = [row for split in ("train", "val") for row in _contents(tmp_path / "arrow", split)]
    assert {row["image"]: row["caption"] for row in rows} == {
        image: [text] for image, text in zip(data, "abcd", strict=True)
    }
    if "path" in form:
        assert {row["image_id"]: row["image"] for row in rows} == dict(zip(names, data, strict=True))


def test_tables_of_other_columns_are_kept_with_a_remark(tmp_path: Path, capsys):
    for split, numbers in (("train", range(3)), ("val", range(3, 5))):
        columns = {"image": [picture(n) for n in numbers], "raw": ["r"] * len(numbers), "text": ["t"] * len(numbers)}
        write_table(tmp_path / "raw" / f"{split}.parquet", columns)
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine", caption_columns=("raw",))
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine", caption_columns=("raw",))
    assert "written with" not in capsys.readouterr().out
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert "written with caption_columns=['raw'] (asked for: ['text'])" in capsys.readouterr().out
    (tmp_path / "arrow" / "mine_val.arrow").unlink()
    with pytest.raises(UserError, match=r"caption_columns=\['raw'\] \(asked for: \['text'\]\)"):
        prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")


def test_the_columns_of_a_folder_are_those_that_are_named(tmp_path: Path, capsys):
    lines = [f"{number}.jpg,{number + 1}.jpg,raw,good {number}" for number in range(4)]
    write(tmp_path / "raw" / "captions.csv", "image,picture,caption,rewritten\n" + "\n".join(lines))
    for number in range(5):
        write(tmp_path / "raw" / f"{number}.jpg", picture(number))
    options: dict[str, Any] = {"dataset_name": "mine", "image_column": "picture", "caption_columns": ("rewritten",)}
    prepare("folder", tmp_path / "raw", tmp_path / "arrow", **options)
    rows = [row for split in ("train", "val") for row in _contents(tmp_path / "arrow", split)]
    assert {row["image"]: row["caption"] for row in rows} == {picture(n + 1): [f"good {n}"] for n in range(4)}
    prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert "caption_columns=['rewritten'] (asked for: None)" in capsys.readouterr().out
    with pytest.raises(UserError, match="Expected: picture, and synthetic"):
        prepare("folder", tmp_path / "raw", tmp_path / "other", **options | {"caption_columns": ("synthetic",)})
    with pytest.raises(UserError, match="folder takes captions of one column"):
        prepare("folder", tmp_path / "raw", tmp_path / "other", **options | {"caption_columns": ("caption", "x")})


@pytest.mark.parametrize(("name", "value"), [("image_column", "jpg"), ("caption_columns", ["raw"])])
def test_columns_are_refused_where_a_data_set_does_not_read_them(make_settings, tmp_path: Path, name: str, value: Any):
    settings = make_settings(dataset="coco", raw_root=str(tmp_path), data_root=str(tmp_path), **{name: value})
    with pytest.raises(UserError, match=f"{name}=.* is not read by dataset=coco.*: folder, huggingface, parquet, webd"):
        prepare_command(settings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coco_caption_karpathy", "would write coco_caption_karpathy_test, a table of the data set coco"),
        ("scenes_cifar10", "a table of the data set scenes"),
        ("imdb", "the name of a known data set"),
    ],
)
def test_tables_of_a_known_data_set_are_not_taken(tmp_path: Path, name: str, message: str):
    write_parquet(tmp_path / "raw")
    with pytest.raises(UserError, match=message):
        prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name=name)
    assert not (tmp_path / "arrow").exists()


def test_captions_of_several_columns_keep_their_source(tmp_path: Path):
    columns = {
        "image": [picture(number) for number in range(3)],
        "raw": ["r0", "r1", None],
        "synthetic": [["s0", "t0"], [], ["s2", " "]],
    }
    write_table(tmp_path / "raw" / "a.parquet", columns)
    options = {"dataset_name": "mine", "caption_columns": ("raw", "synthetic"), "val_fraction": 0.4}
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", **options)
    rows = [row for split in ("train", "val") for row in _contents(tmp_path / "arrow", split)]
    found = {row["image"]: list(zip(row["caption_source"], row["caption"], strict=True)) for row in rows}
    assert found == {
        picture(0): [("raw", "r0"), ("synthetic", "s0"), ("synthetic", "t0")],
        picture(1): [("raw", "r1")],
        picture(2): [("synthetic", "s2")],
    }


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"caption": ["a"]}, {}, r"has no image column.* image_column=….*Its columns: caption \(string\)"),
        ({"image": [b"a"]}, {}, r"has no caption column.*caption_columns=.*Its columns: image \(binary\)"),
        ({"image": [3], "caption": ["a"]}, {}, r"has no image column.*image \(int64\), caption \(string\)"),
        ({"image": [b"a"], "jpg": [b"a"], "text": ["a"]}, {}, r"several columns that could hold images: image, jpg\."),
        ({"image": [b"a"], "text": ["a"], "caption": ["a"]}, {}, r"hold captions: text, caption\. .*\"text\", \"capt"),
        ({"image": [b"a"], "text": ["a"]}, {"image_column": "img"}, r"image_column names 'img'.* is not there"),
        ({"image": [b"a"], "text": [1]}, {"caption_columns": ("text",)}, r"'text', .* and holds something else"),
    ],
)
def test_columns_that_cannot_be_told_are_listed(tmp_path: Path, columns: Any, options: Any, message: str):
    write_table(tmp_path / "raw" / "a.parquet", columns)
    with pytest.raises(UserError, match=message) as caught:
        prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "arrow").exists()


def _with_link(kind: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    info = tarfile.TarInfo("000.png")
    info.type, info.linkname = kind, "/etc/passwd"
    return [(info, b""), (tarfile.TarInfo("000.txt"), b"a")]


def _cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _write_bad_source(root: Path, fault: str) -> str:
    """Write a source with a fault; returns the data set that reads it."""
    good = {"000.png": ROWS[0][1], "000.txt": b"a"}
    tar = root / "0.tar"
    if fault in ("climbing", "absolute", "backslashes"):
        place = {"climbing": "../000.png", "absolute": "/tmp/000.png", "backslashes": "a\\..\\..\\000.png"}[fault]
        shard(tar, {**good, place: ROWS[1][1]})
    elif fault in ("symbolic link", "hard link", "device"):
        kinds = {"symbolic link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}
        shard(tar, _with_link(kinds[fault]))
    elif fault == "cut in a picture":
        _cut(shard(tar, good), 1000)
    elif fault == "cut between files":
        _cut(shard(tar, good), 512 + -(-len(ROWS[0][1]) // 512) * 512)
    elif fault == "two archives":
        tar.parent.mkdir()
        tar.write_bytes(shard(root / "a", good).read_bytes() + shard(root / "b", good).read_bytes())
    elif fault == "no archive":
        write(tar, b"<html>404 not found</html>" * 100)
    elif fault == "twice":
        shard(tar, [(tarfile.TarInfo("0.txt"), b"a"), (tarfile.TarInfo("0.txt"), b"b")])
    elif fault.startswith("Parquet"):
        write_parquet(root)
        _cut(root / "data" / "train-00001-of-00002.parquet", 700)
        return "parquet"
    else:
        write_saved(root)
        if fault == "Arrow, cut":
            path = root / "train" / "data-00002-of-00003.arrow"
            _cut(path, path.stat().st_size - 8)
        elif fault == "Arrow, missing":
            (root / "train" / "data-00001-of-00003.arrow").unlink()
        elif fault == "Arrow, elsewhere":
            state = json.loads((root / "train" / "state.json").read_text())
            state["_data_files"][0]["filename"] = "../../secret.arrow"
            write(root / "train" / "state.json", state)
        elif fault == "Arrow, split elsewhere":
            write(root / "dataset_dict.json", {"splits": [".."]})
        return "huggingface"
    return "webdataset"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("climbing", r"'\.\./000\.png' leads out of the archive"),
        ("absolute", r"'/tmp/000\.png' leads out of the archive"),
        ("backslashes", r"leads out of the archive"),
        ("symbolic link", r"'000\.png' is a link"),
        ("hard link", r"'000\.png' is a link"),
        ("device", r"'000\.png' is no plain file"),
        ("cut in a picture", r"damaged or no tar file \(unexpected end of data\)"),
        ("cut between files", r"damaged or no tar file \(its end is missing\)"),
        ("two archives", r"something follows its end"),
        ("no archive", r"damaged or no tar file"),
        ("twice", r"two files of one name: 0\.txt"),
        ("Parquet, cut", r"train-00001-of-00002\.parquet is damaged"),
        ("Arrow, cut", r"data-00002-of-00003\.arrow is damaged.*its end is missing"),
        ("Arrow, missing", r"is not whole: .*data-00001-of-00003\.arrow is missing"),
        ("Arrow, elsewhere", r"names a data file that does not lie beside it: '\.\./\.\./secret"),
        ("Arrow, split elsewhere", r"names the split '\.\.'"),
    ],
)
def test_a_bad_source_is_one_message_and_nothing_is_written(tmp_path: Path, fault: str, message: str):
    dataset = _write_bad_source(tmp_path / "raw", fault)
    with pytest.raises(UserError, match=message) as caught:
        prepare(dataset, tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "arrow").exists()


@pytest.mark.parametrize("dataset", ["webdataset", "parquet"])
def test_bad_samples_are_left_out_and_listed(tmp_path: Path, dataset: str):
    """A sample each: a bomb, an image cut off, none, no caption, a text too long, bytes that are no text."""
    bomb = b"P5 20000 20000 255 " + bytes(100)
    bad: list[tuple[bytes | None, bytes | None, str]] = [
        (bomb, b"bomb", "pixels"),
        (ROWS[0][1][:200], b"cut", "cannot be read"),
        (None, b"none", "it has no image"),
        (ROWS[1][1], None, "it has no caption"),
        (ROWS[2][1], b"x" * 200_000, "more than 131,072 characters"),
        (ROWS[3][1], b"x" * 600_000, "more than 524,288 bytes"),
        (ROWS[4][1], b"caf\xe9", "UTF-8"),
    ]
    good = [(picture(100 + number, "PNG"), b"good") for number in range(4)]
    samples = [*good, *((image, text) for image, text, _ in bad)]
    if dataset == "webdataset":
        files: dict[str, bytes] = {}
        for number, (image, text) in enumerate(samples):
            files |= {f"{number}.PNG": image} if image is not None else {}
            files |= {f"{number}.txt": text} if text is not None else {}
        shard(tmp_path / "raw" / "0.tar", files)
    else:
        texts = [None if text is None else pa.py_buffer(text) for _, text in samples]
        offsets = pa.array([0, *map(int, _sums(0 if text is None else len(text) for text in texts))], pa.int32())
        content = pa.py_buffer(b"".join(bytes(text) for text in texts if text is not None))
        column = pa.StringArray.from_buffers(len(texts), offsets.buffers()[1], content)  # not checked for UTF-8
        write_table(tmp_path / "raw" / "0.parquet", {"image": [image for image, _ in samples], "text": column})
    options = {"dataset_name": "mine", "max_rejected_fraction": 0.8}
    reports = prepare(dataset, tmp_path / "raw", tmp_path / "arrow", **options)
    assert sum(report.rows for report in reports.values()) == 4
    assert sum(report.rejected for report in reports.values()) == len(bad)
    listed = "".join(path.read_text() for path in (tmp_path / "arrow").glob("*.rejected.csv"))
    for *_, reason in bad:
        assert reason in listed
    with pytest.raises(UserError, match="max_rejected_fraction"):
        prepare(dataset, tmp_path / "raw", tmp_path / "other", dataset_name="mine")
    assert not list((tmp_path / "other").glob("*.arrow"))


def test_texts_that_are_no_paths_are_left_out_and_listed(tmp_path: Path):
    """Base64 in the place of paths, and paths that are no UTF-8 or as long as base64."""
    write(tmp_path / "raw" / "0.png", picture(0))
    write(tmp_path / "raw" / "1.png", picture(1))
    texts = ["0.png", "1.png", "iVBOR" + "x" * 600, "/9j/" + "x" * 6000]
    write_table(tmp_path / "raw" / "a.parquet", {"image": texts, "caption": list("abcd")})
    paths = pa.Array.from_buffers(pa.string(), 3, pa.array([b"2.png", b"\xff\xfe.png", b"x" * 5000]).buffers())
    images = pa.StructArray.from_arrays([pa.array([picture(2), picture(3), picture(4)]), paths], ["bytes", "path"])
    write_table(tmp_path / "raw" / "b.parquet", {"image": images, "caption": list("efg")})
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine", max_rejected_fraction=0.9)
    rows = [row for split in ("train", "val") for row in _contents(tmp_path / "arrow", split)]
    assert {row["image"]: row["image_id"] for row in rows} == {picture(n): f"{n}.png" for n in range(3)}
    listed = (tmp_path / "arrow" / "mine_train.rejected.csv").read_text().splitlines()
    assert [line.partition("parquet, ")[2] for line in listed[1:]] == [
        'row 2","a text, but no path; base64 is not read"',
        'row 3","a text, but no path; base64 is not read"',
        'row 1",its path should be UTF-8 text',
        'row 2","its path has more than 4,096 bytes"',
    ]


def _sums(numbers: Iterable[int]) -> Iterable[int]:
    total = 0
    for number in numbers:
        total += number
        yield total


def test_nothing_of_a_shard_is_unpickled_and_unknown_files_are_left_alone(tmp_path: Path):
    """WebDataset's own decoders unpickle .pyd, .pkl and .pth; here they are not even read."""
    evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "executed").encode() + b"'\ntR."
    files: dict[str, bytes] = {}
    for name, data, _ in ROWS:
        key = name.removesuffix(".png")
        files |= {f"{key}.png": data, f"{key}.txt": b"a"}
        files |= {f"{key}.{ending}": evil for ending in ("pyd", "pkl", "pth", "pt", "npy", "cls")}
    shard(tmp_path / "raw" / "0.tar", {**files, "__meta__": b"{", "__own__/0.txt": b"{", "README": b"x"})
    reports = prepare("webdataset", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert sum(report.rows for report in reports.values()) == 14
    assert not (tmp_path / "executed").exists()


def test_a_value_that_a_file_repeats_is_no_bomb(tmp_path: Path):
    """1,000 rows that refer to one picture of 1 MB: 1 GB, were it unpacked."""
    image = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array([os.urandom(1 << 20)]))
    pq.write_table(pa.table({"image": image, "text": ["a"] * 1_000}), tmp_path / "a.parquet", store_schema=False)
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from renaissance.data.preparing.table_files import _piece\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"piece = _piece({str(tmp_path / 'a.parquet')!r}, 0, ('image', 'text'))\n"
        "assert len(piece.column('image')[999].value.as_buffer()) == 1 << 20\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300_000  # kilobytes


def test_a_row_group_that_memory_should_not_take_is_refused(tmp_path: Path, monkeypatch):
    write_parquet(tmp_path / "raw")
    monkeypatch.setattr(table_files, "_MOST_PIECE_BYTES", 100)
    with pytest.raises(UserError, match=r"row group 0 unpacks to [\d,]+ bytes.*row_group_size=100"):
        prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")


def test_shards_by_pattern(tmp_path: Path):
    write_shards(tmp_path / "raw")
    for pattern in ("{0000..0001}.tar", "*.tar"):
        prepare("webdataset", tmp_path / "raw" / pattern, tmp_path / pattern, dataset_name="mine")
        assert len(_contents(tmp_path / pattern, "train")) + len(_contents(tmp_path / pattern, "val")) == 14
    write_shards(tmp_path / "divided" / "train")
    write_shards(tmp_path / "divided" / "val")
    divided = f"{tmp_path}/divided"
    for number, folders in enumerate((f"{divided}/{{train,val}}", f"{{{divided}/train,{divided}/val}}")):
        reports = prepare("webdataset", Path(folders) / "{0000..0001}.tar", tmp_path / str(number))
        assert {name: report.rows for name, report in reports.items()} == {"divided_train": 14, "divided_val": 14}
    for pattern, message in (
        ("{0000..0003}.tar", r"names 4 shards, of which 2 are missing: .*0002\.tar, .*0003\.tar\."),
        ("{0000..0001.tar", "braces do not match"),
        ("{0..99999999}.tar", "more than 1,000,000 shards"),
    ):
        with pytest.raises(UserError, match=message):
            prepare("webdataset", tmp_path / "raw" / pattern, tmp_path / "arrow", dataset_name="mine")


def test_captions_of_shards_by_ending_and_key(tmp_path: Path):
    files: dict[str, bytes] = {}
    for number in range(3):
        content = json.dumps({"caption": f"c{number}", "synthetic": [f"s{number}"], "key": number}).encode()
        files |= {f"{number}.jpg": picture(number), f"{number}.txt": b"t\n", f"{number}.json": content}
    shard(tmp_path / "raw" / "0.tar", files)
    prepare("webdataset", tmp_path / "raw", tmp_path / "plain", dataset_name="mine")
    assert _contents(tmp_path / "plain", "train")[0]["caption"] == ["t"]  # the file before the key
    options = {"dataset_name": "mine", "caption_columns": ("json.caption", "json.synthetic")}
    prepare("webdataset", tmp_path / "raw", tmp_path / "both", **options)
    row = _contents(tmp_path / "both", "train")[0]
    number = row["image_id"][0]
    assert row["caption"] == [f"c{number}", f"s{number}"]
    assert row["caption_source"] == ["caption", "synthetic"]
    options["caption_columns"] = ("json.caption", "other.caption")
    with pytest.raises(UserError, match="two columns have the same"):
        prepare("webdataset", tmp_path / "raw", tmp_path / "both", **options)


def test_a_folder_with_a_script_is_refused_and_never_run(tmp_path: Path):
    write(tmp_path / "pets" / "pets.py", f"open({str(tmp_path / 'executed')!r}, 'w')")
    write(tmp_path / "pets" / "dataset_infos.json", {})
    with pytest.raises(UserError, match=r"pets\.py(?s:.)*Loading scripts \(\*\.py\) are never run"):
        prepare("huggingface", tmp_path / "pets", tmp_path / "arrow", dataset_name="mine")
    assert not (tmp_path / "executed").exists()


def test_a_hub_that_cannot_be_reached_is_one_message(tmp_path: Path):
    settings = ["dataset=huggingface", "raw_root=lambdalabs/pokemon-blip-captions", "dataset_name=pokemon"]
    done = subprocess.run(
        [sys.executable, "run.py", "prepare", "with", *settings, f"data_root={tmp_path}"],
        cwd=REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("raw_root=lambdalabs/pokemon-blip-captions is no folder here, and cannot be fetched")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.arrow"))


def test_a_folder_of_pictures_of_the_hub(tmp_path: Path, monkeypatch):
    """`datasets` keeps paths alone of these; of a table's paths none is followed out of its folder."""
    for number in range(4):
        write(tmp_path / "pictures" / "train" / f"{number}.jpg", picture(number))
    lines = [json.dumps({"file_name": f"{number}.jpg", "text": f"text {number}"}) for number in range(4)]
    write(tmp_path / "pictures" / "train" / "metadata.jsonl", "\n".join(lines))
    load = datasets.load_dataset
    cache = str(tmp_path / "cache")
    monkeypatch.setattr(
        datasets, "load_dataset", lambda name: load("imagefolder", data_dir=str(tmp_path / "pictures"), cache_dir=cache)
    )
    for place in ("arrow", "again"):
        prepare("huggingface", Path("owner/name"), tmp_path / place, dataset_name="mine")
        rows = [row for split in ("train", "val") for row in _contents(tmp_path / place, split)]
        assert {row["image"]: row["caption"] for row in rows} == {picture(n): [f"text {n}"] for n in range(4)}
        assert {row["image_id"] for row in rows} == {f"{number}.jpg" for number in range(4)}

    paths = [{"bytes": None, "path": str(tmp_path / "pictures" / "train" / f"{number}.jpg")} for number in range(4)]
    table = write_table(tmp_path / "table" / "train.parquet", {"image": pa.array(paths, IMAGE), "text": list("abcd")})
    monkeypatch.setattr(
        datasets, "load_dataset", lambda name: load("parquet", data_files={"train": str(table)}, cache_dir=cache)
    )
    with pytest.raises(UserError, match=r"4 of 4 rows cannot be used; the first is .*, row 0 \(its path leads out"):
        prepare("huggingface", Path("owner/name"), tmp_path / "other", dataset_name="mine")


def test_a_library_that_could_run_scripts_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(datasets, "__version__", "3.6.0")
    monkeypatch.setattr(datasets, "load_dataset", lambda name: pytest.fail("it was asked for"))
    with pytest.raises(UserError, match=r"datasets 3\.6\.0 can run scripts.*pip install 'datasets>=4'"):
        prepare("huggingface", Path("owner/name"), tmp_path / "arrow", dataset_name="mine")


@pytest.mark.parametrize(
    ("dataset", "library", "make"),
    [("webdataset", "webdataset", write_shards), ("huggingface", "datasets", None)],
)
def test_a_library_that_is_missing_is_named(tmp_path: Path, monkeypatch, dataset: str, library: str, make: Any):
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    root = tmp_path / "raw"
    if make is not None:
        make(root)
    with pytest.raises(UserError, match=f"pip install {library}"):
        prepare(dataset, root if make else Path("owner/name"), tmp_path / "arrow", dataset_name="mine")


def test_a_killed_run_goes_on_to_the_bytes_of_one_that_ran_through(tmp_path: Path):
    file = io.BytesIO()
    Image.new("RGB", (700, 700)).save(file, "PNG")  # small, and takes long to decode
    images = [file.getvalue() + number.to_bytes(4, "big") for number in range(800)]
    write_table(tmp_path / "raw" / "train.parquet", {"image": images, "text": [str(number) for number in range(800)]})
    command = [sys.executable, "run.py", "prepare", "with", "dataset=parquet", f"raw_root={tmp_path / 'raw'}"]
    killed = [*command, "dataset_name=mine", f"data_root={tmp_path / 'arrow'}"]
    process = subprocess.Popen(killed, cwd=REPOSITORY, stdout=subprocess.DEVNULL, start_new_session=True)
    parts = tmp_path / "arrow" / ".mine_train.parts"
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*.arrow"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not list((tmp_path / "arrow").glob("*.arrow"))
    prepare("parquet", tmp_path / "raw", tmp_path / "whole", dataset_name="mine")
    prepare("parquet", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    for split in ("train", "val"):
        again, whole = ((tmp_path / place / f"mine_{split}.arrow").read_bytes() for place in ("arrow", "whole"))
        assert again == whole
    assert not parts.exists()
