"""IMDB reviews in both of their forms."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from renaissance.errors import UserError
from tests.data.raw_folders import prepare, read, write


def _folders(root: Path, number: int = 10) -> Path:
    for split in ("train", "test"):
        for folder in ("pos", "neg"):
            for place in range(number):
                text = f"{split} {folder} {place}: good.<br /><br />So é it is<br/>here."
                write(root / split / folder / f"{place}_7.txt", text)
    return root


@pytest.mark.parametrize("inside", [True, False])
def test_folders(tmp_path: Path, inside: bool):
    root = _folders(tmp_path / "raw" / "aclImdb")
    reports = prepare("imdb", root if inside else root.parent, tmp_path / "arrow", val_fraction=0.2)
    assert {name: (report.rows, report.texts) for name, report in reports.items()} == {
        "imdb_train": (16, 16),
        "imdb_val": (4, 4),
        "imdb_test": (20, 20),
    }
    table = read(tmp_path / "arrow" / "imdb_test.arrow")
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("text", "string"),
        ("label", "int64"),
        ("text_id", "string"),
    ]
    rows = {row["text_id"]: (row["text"], row["label"]) for row in table.to_pylist()}
    assert rows["test/pos/3_7"] == ("test pos 3: good. So é it is here.", 1)
    assert rows["test/neg/3_7"] == ("test neg 3: good. So é it is here.", 0)
    train, val = (read(tmp_path / "arrow" / f"imdb_{split}.arrow")["text_id"].to_pylist() for split in ("train", "val"))
    assert len({*train, *val}) == 20


def test_real_reviews(tmp_path: Path, real_data: Path):
    reports = prepare("imdb", real_data, tmp_path)  # the folder that holds it
    assert [report.rows for report in reports.values()] == [5400, 600, 2000]
    for split in ("train", "val", "test"):
        table = read(tmp_path / f"imdb_{split}.arrow")
        assert 0.4 < sum(table["label"].to_pylist()) / len(table) < 0.6
        assert not any("<br" in text for text in table["text"].to_pylist())
    row = table.slice(1500, 1).to_pylist()[0]
    raw = (real_data / "aclImdb" / f"{row['text_id']}.txt").read_text(encoding="utf-8")
    assert row["text"].split() == raw.replace("<br />", " ").split()
    assert row["label"] == ("/pos/" in row["text_id"])


def test_one_file_has_no_test_split(tmp_path: Path):
    with open(tmp_path / "IMDB Dataset.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "sentiment"])
        writer.writerows(
            (f'He said, "number {number}"\nand left', "positive" if number % 3 else "negative") for number in range(30)
        )
    reports = prepare("imdb", tmp_path, tmp_path / "arrow")
    assert {name: report.rows for name, report in reports.items()} == {"imdb_train": 27, "imdb_val": 3}
    rows = [row for split in ("train", "val") for row in read(tmp_path / "arrow" / f"imdb_{split}.arrow").to_pylist()]
    assert {(row["text"], row["label"]) for row in rows} == {
        (f'He said, "number {number}"\nand left', int(number % 3 > 0)) for number in range(30)
    }


def test_bad_reviews_are_listed(tmp_path: Path):
    root = _folders(tmp_path / "aclImdb")
    write(root / "test" / "pos" / "3_7.txt", b"\xff\xfe not text")
    write(root / "test" / "neg" / "0_7.txt", " <br /> ")
    reports = prepare("imdb", root, tmp_path / "arrow", max_rejected_fraction=0.1)
    assert (reports["imdb_test"].rows, reports["imdb_test"].rejected) == (18, 2)
    listed = (tmp_path / "arrow" / "imdb_test.rejected.csv").read_text()
    assert "3_7.txt" in listed
    assert "the review is empty" in listed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,1\n", "should have the columns"),
        ("review,sentiment\n", "too few"),
        (b"review,sentiment\n\xff,1\n", "should be UTF-8"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, content: str | bytes, message: str):
    write(tmp_path / "IMDB Dataset.csv", content)
    with pytest.raises(UserError, match=message) as caught:
        prepare("imdb", tmp_path, tmp_path / "arrow")
    assert str(tmp_path) in str(caught.value)
