"""Which images are held out for validation: all copies on one side, by seed and content alone."""

from __future__ import annotations

import random
from pathlib import Path, PurePath

import numpy as np
import pytest

from renaissance.data.preparing.splits import digest_of, held_out_images, split_in_path, splits_of_files
from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError
from tests.data.raw_folders import picture, prepare, read, write

DIGESTS = [digest_of(str(number).encode()) for number in range(200)]


def _held_out(digests: list[str], share: float = 0.15, seed: int = 0) -> set[str]:
    options = PrepareOptions(None, Path("arrow"), val_fraction=share, seed=seed)
    chosen = held_out_images(digests, options)
    return {digest for digest, out in zip(digests, chosen, strict=True) if out}


def test_the_share_is_exact_and_follows_from_the_seed_alone():
    held_out = _held_out(DIGESTS)
    assert len(held_out) == 30
    mixed = random.Random(0).sample(DIGESTS, len(DIGESTS))
    assert _held_out(mixed) == held_out
    assert _held_out(DIGESTS, seed=1) != held_out
    assert len(_held_out(DIGESTS, seed=1) & held_out) < 15  # 4.5 of 30 by chance


def test_every_picture_is_held_out_as_often():
    counts = np.zeros(200)
    for seed in range(300):
        held_out = _held_out(DIGESTS, seed=seed)
        counts += [digest in held_out for digest in DIGESTS]
    assert ((counts - 45) ** 2 / (45 * 0.85)).sum() < 300  # chi-square of 199 degrees of freedom: p below 1e-5 above


def test_copies_stay_together_and_the_share_is_kept():
    copies = [DIGESTS[number // 3] for number in range(300)]
    options = PrepareOptions(None, Path("arrow"), val_fraction=0.15)
    chosen = held_out_images(copies, options)
    held_out = {digest for digest, out in zip(copies, chosen, strict=True) if out}
    assert not held_out & {digest for digest, out in zip(copies, chosen, strict=True) if not out}
    assert chosen.sum() == 45
    many = ["same"] * 100 + DIGESTS[:100]  # one picture on half of the rows is no validation split
    for seed in range(20):
        assert "same" not in _held_out(many, share=0.2, seed=seed)
        assert len(_held_out(many, share=0.2, seed=seed)) == 40


@pytest.mark.parametrize("digests", [["a", "b"], ["a", "a", "b"], ["a", "a", "b", "b"], ["", "a", "b"]])
def test_both_sides_get_a_picture(digests: list[str]):
    for seed in range(10):
        held_out = _held_out(digests, 0.01, seed)
        assert held_out
        assert set(digests) - {""} - held_out
        assert "" not in held_out


def test_one_picture_cannot_be_divided():
    with pytest.raises(UserError, match="1 different pictures"):
        _held_out(["a", "a", ""])


def test_pictures_in_folders_of_years_are_divided_by_these(tmp_path: Path):
    names = [f"{folder}/{number}.jpg" for folder in ("train2017", "val2017", "test2014") for number in range(2)]
    write(tmp_path / "raw" / "captions.csv", "image,caption\n" + "".join(f"{name},a\n" for name in names))
    for number, name in enumerate(names):
        write(tmp_path / "raw" / name, picture(number))
    reports = prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    assert {name: report.rows for name, report in reports.items()} == {"mine_train": 2, "mine_val": 2, "mine_test": 2}


def test_pictures_that_are_missing_are_counted_where_too_few_are_there(tmp_path: Path):
    write(tmp_path / "raw" / "captions.csv", "image,caption\n0.jpg,a\n1.jpg,b\n2.jpg,c\n")
    write(tmp_path / "raw" / "1.jpg", picture(1))
    with pytest.raises(UserError, match=r"1 different pictures.* 2 of 3 rows cannot be used; the first is .*/0\.jpg"):
        prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")


def test_a_picture_under_several_names_is_never_on_both_sides(tmp_path: Path):
    sides = []
    for seed in range(6):
        root = tmp_path / f"raw{seed}"
        order = random.Random(seed).sample(range(12), 12)
        write(root / "captions.csv", "image,caption\n" + "".join(f"{number}.jpg,text {number}\n" for number in order))
        for number in range(12):
            write(root / f"{number}.jpg", picture(number // 2))
        prepare("folder", root, tmp_path / f"arrow{seed}", dataset_name="mine", val_fraction=0.3, seed=seed // 2)
        train, val = (
            set(read(tmp_path / f"arrow{seed}" / f"mine_{split}.arrow")["image"].to_pylist())
            for split in ("train", "val")
        )
        assert not train & val
        assert len(val) == 2
        sides.append(val)
    assert sides[0] == sides[1]  # the lines of a file come in any order
    assert sides[2] == sides[3]
    assert len({frozenset(val) for val in sides}) > 1


def test_tables_that_were_divided_otherwise_are_not_mixed(tmp_path: Path):
    """Those of a version that divided by the lines of the file."""
    write(tmp_path / "raw" / "captions.csv", "image,caption\n" + "".join(f"{n}.jpg,{n}\n" for n in range(8)))
    for number in range(8):
        write(tmp_path / "raw" / f"{number}.jpg", picture(number))
    prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    path = tmp_path / "arrow" / "mine_train.arrow"
    path.write_bytes(path.read_bytes().replace(b', "grouped_by": "image"}', b"}" + b" " * 23))
    (tmp_path / "arrow" / "mine_val.arrow").unlink()
    with pytest.raises(UserError, match=r"grouped_by=None \(asked for: image\)"):
        prepare("folder", tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("data/validation-00000-of-00001-abc.parquet", "val"),
        ("dev/0000.tar", "val"),
        ("flickr/test/train-3.tar", "test"),
        ("cc3m_val_0001.tar", "val"),
        ("00017.tar", None),
        ("train2017/0.parquet", "train"),
        ("val2017/0.parquet", "val"),
        ("cc_validation/0.parquet", "val"),
        ("test2014.parquet", "test"),
        ("default/partial-validation/0000.parquet", "val"),
        ("testA.parquet", "test"),
        ("refcoco_testb.parquet", "test"),
        ("coco-val/0.tar", "val"),
        ("minival.parquet", "val"),
        ("pokemon_test1.parquet", "test"),
        ("train_and_test/val/0.tar", "val"),
        ("train_and_test/part-train.tar", "train"),
        ("latest/contest.tar", None),
    ],
)
def test_the_split_that_a_path_names(path: str, split: str | None):
    assert split_in_path(PurePath(path)) == split


@pytest.mark.parametrize("path", ["train_val.tar", "train_val/0.tar", "my_train/cc_val.tar"])
def test_a_name_of_two_splits_is_refused(path: str):
    with pytest.raises(UserError, match="two splits, train and val"):
        split_in_path(PurePath(path))


def test_files_of_which_some_name_no_split_are_refused(tmp_path: Path):
    paths = [tmp_path / name for name in ("0.tar", "1.tar", "more/2.tar", "holdout.tar")]
    assert splits_of_files(paths, tmp_path) == dict.fromkeys(paths, "train")
    with pytest.raises(UserError, match=r"4 of 5 do not: 0\.tar, 1\.tar, more/2\.tar and 1 more\."):
        splits_of_files([*paths, tmp_path / "val2017" / "0.tar"], tmp_path)
