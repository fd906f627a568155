"""Captions and reviews in damaged text files: a bad line costs that line, is listed, and too many are an error."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from renaissance.data.preparing import records
from renaissance.data.preparing.records import RecordFile
from renaissance.data.preparing.rejected import Rejected
from renaissance.errors import UserError
from tests.data.raw_folders import picture, prepare, read, write

NUMBER = 200
BAD = 101  # the line, counted from 1 with the header, that something is done to


def lines_of_csv() -> list[str]:
    return ["image,caption", *(f"{number % 4}.jpg,caption {number}" for number in range(2, NUMBER + 1))]


def lines_of_json() -> list[str]:
    return [
        json.dumps({"file_name": f"{number % 4}.jpg", "text": f"caption {number}"}) for number in range(1, NUMBER + 1)
    ]


def prepared(root: Path, name: str, content: bytes, **options: float) -> tuple[list[str], list[tuple[str, str]]]:
    """Every caption in the tables, and what was rejected, after checking the counts of the report."""
    for number in range(4):
        write(root / f"{number}.jpg", picture(number))
    write(root / name, content)
    reports = prepare("folder", root, root / "arrow", dataset_name="mine", **options)
    captions: list[str] = []
    for table, report in reports.items():
        found = read(root / "arrow" / f"{table}.arrow")["caption"].to_pylist()
        assert report.texts == sum(map(len, found))
        captions += [caption for row in found for caption in row]
    listed = rejected(root)
    assert reports["mine_train"].rejected == len(listed)
    return captions, listed


def rejected(root: Path) -> list[tuple[str, str]]:
    path = root / "arrow" / "mine_train.rejected.csv"
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [(row["source"], row["reason"]) for row in csv.DictReader(file)]


CSV_FAULTS = {
    "a comma without quotes": ("0.jpg,a red bird, a blue one", "it has 3 fields where the header has 2"),
    "a missing field": ("0.jpg", "it has 1 field where the header has 2"),
    "a trailing comma": ("0.jpg,text,", "it has 3 fields"),
    "an open quote": ('0.jpg,"a quote that nobody closed', "a quote is open at the end of the line"),
    "an open quote at the beginning": ('"0.jpg,a caption', "a quote is open"),
    "text behind a quote": ('0.jpg,"a bird" on a tree', "expected after"),
    "a long caption": ("0.jpg," + "x" * 131_073, "a field has more than 131,072 characters"),
    "a long quoted caption": ('0.jpg,"' + "x" * 131_073 + '"', "a field has more than 131,072 characters"),
    "another encoding": (b"0.jpg,caf\xe9 noir", "it should be UTF-8 text, and holds the byte 0xe9"),
    "a NUL": (b"0.jpg,a\0b", "NUL"),
    "an empty caption": ("0.jpg,", "it has no caption"),
    "a blank caption": ('0.jpg,"   "', "it has no caption"),
}
JSON_FAULTS = {
    "half an object": ('{"file_name": "0.jpg", "text": "a ', "it is no JSON"),
    "a list": ('["0.jpg", "text"]', "it is no JSON object"),
    "no caption": ('{"file_name": "0.jpg"}', "no image or caption; its columns are file_name"),
    "a number": ('{"file_name": "0.jpg", "text": 3}', "no image or caption"),
    "a number among texts": ('{"file_name": "0.jpg", "text": ["a", 3]}', "no image or caption"),
    "two captions by one key": ('{"file_name": "0.jpg", "text": "a", "text": "b"}', "a key stands in it twice"),
    "a long caption": (json.dumps({"file_name": "0.jpg", "text": "x" * 131_073}), "more than 131,072 characters"),
    "another encoding": (b'{"file_name": "0.jpg", "text": "caf\xe9"}', "it should be UTF-8 text"),
    "a NUL": (b'{"file_name": "0.jpg", "text": "a\0b"}', "NUL"),
    "an empty caption": ('{"file_name": "0.jpg", "text": ""}', "it has no caption"),
    "no captions": ('{"file_name": "0.jpg", "text": []}', "it has no caption"),
    "blank captions": ('{"file_name": "0.jpg", "text": ["", " "]}', "it has no caption"),
    "a blank one among captions": ('{"file_name": "0.jpg", "text": ["a", " "]}', "one of its captions is blank"),
    "too deep": ("[" * 100_000, "it is no JSON"),
    "an unknown split": ('{"file_name": "0.jpg", "text": "a", "split": "practice"}', "the split 'practice' is none of"),
}
FAULTS = [("captions.csv", *fault) for fault in CSV_FAULTS.values()]
FAULTS += [("metadata.jsonl", *fault) for fault in JSON_FAULTS.values()]


@pytest.mark.parametrize(("name", "line", "reason"), FAULTS, ids=[*CSV_FAULTS, *JSON_FAULTS])
def test_a_bad_line_costs_one_caption_and_is_listed(tmp_path: Path, name: str, line: str | bytes, reason: str) -> None:
    lines = [line.encode() for line in (lines_of_csv() if name == "captions.csv" else lines_of_json())]
    lines[BAD - 1] = line if isinstance(line, bytes) else line.encode()
    captions, listed = prepared(tmp_path, name, b"\n".join(lines) + b"\n")
    first = 2 if name == "captions.csv" else 1
    assert sorted(captions) == sorted(f"caption {number}" for number in range(first, NUMBER + 1) if number != BAD)
    ((source, why),) = listed
    assert source == f"{tmp_path / name}, line {BAD}"
    assert reason in why


@pytest.mark.parametrize(("name", "line", "reason"), FAULTS[:4] + FAULTS[10:14])
def test_too_many_bad_lines_refuse_the_file(tmp_path: Path, name: str, line: str, reason: str) -> None:
    lines = lines_of_csv() if name == "captions.csv" else lines_of_json()
    for number in (20, 30, 40):
        lines[number - 1] = line
    rows = NUMBER - (name == "captions.csv")
    message = f"{tmp_path / name}: 3 of {rows} rows cannot be used, more than max_rejected_fraction=0.01 allows; "
    with pytest.raises(UserError, match=re.escape(f"{message}the first is line 20 ({reason}")):
        prepared(tmp_path, name, "\n".join(lines).encode())
    assert [source for source, _ in rejected(tmp_path)] == [f"{tmp_path / name}, line {n}" for n in (20, 30, 40)]
    assert not list((tmp_path / "arrow").glob("*.arrow"))
    captions, listed = prepared(tmp_path, name, "\n".join(lines).encode(), max_rejected_fraction=0.02)
    assert (len(captions), len(listed)) == (rows - 3, 3)
    reports = prepare("folder", tmp_path, tmp_path / "arrow", dataset_name="mine")  # kept, with the first consent
    assert [report.kept for report in reports.values()] == [True, True]
    assert rejected(tmp_path) == listed


def test_a_quoted_text_over_two_lines_is_two_bad_lines(tmp_path: Path) -> None:
    """What stands on the second line may be an image of its own, so it is not guessed."""
    lines = lines_of_csv()
    lines[9:10] = ['0.jpg,"one line', 'and another"']
    captions, listed = prepared(tmp_path, "captions.csv", "\n".join(lines).encode(), max_rejected_fraction=0.02)
    assert len(captions) == NUMBER - 2
    assert [source.rsplit(" ", 1)[1] for source, _ in listed] == ["10", "11"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["captions.csv", "metadata.jsonl"])
def test_ends_of_lines_and_the_mark_at_the_beginning(tmp_path: Path, end: str, mark: bytes, name: str) -> None:
    lines = lines_of_csv() if name == "captions.csv" else lines_of_json()
    lines.insert(7, "")  # blank lines are none
    captions, listed = prepared(tmp_path, name, mark + (end.join(lines) + end + end).encode())
    assert len(captions) == NUMBER - (name == "captions.csv")
    assert listed == []


def test_what_csv_programs_write_is_read_whole(tmp_path: Path) -> None:
    texts = [
        'he said "no", twice',
        "a, b, c",
        "it's 5\" wide",
        " space ",
        "ünï, côdé 漢字 \u2028 \x85 \x0b",
        '""',
        "a;b\tc",
    ]
    path = tmp_path / "captions.csv"
    with open(path, "w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([("image", "caption"), *((f"{n}.jpg", text) for n, text in enumerate(texts))])
    file = RecordFile(path)
    assert list(file.read(lambda record: record["caption"])) == texts
    assert file.rejected == []


@pytest.mark.parametrize("name", ["captions.csv", "metadata.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_another_encoding_is_said(tmp_path: Path, name: str, encoding: str) -> None:
    lines = lines_of_csv() if name == "captions.csv" else lines_of_json()
    content = "\n".join(lines).replace("caption ", "légende ").encode(encoding)
    with pytest.raises(UserError, match="UTF-8") as caught:
        prepared(tmp_path, name, content)
    assert str(tmp_path / name) in str(caught.value)
    assert ("UTF-16" in str(caught.value)) == encoding.startswith("utf")


def test_columns_named_twice_and_empty_files_are_refused(tmp_path: Path) -> None:
    for content, message in ((b"image,caption,caption\n", "named twice"), (b"\n\n", "is empty"), (b'"image', "open")):
        with pytest.raises(UserError, match=message):
            prepared(tmp_path, "captions.csv", content)


def test_a_line_without_end_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_MOST_CHARACTERS", 50)
    path = write_lines(tmp_path, ["image,caption", "a.jpg,b", "a.jpg," + "x" * 120, "a.jpg,c", "a.jpg," + "x" * 43])
    file = RecordFile(path)
    assert list(file.read(lambda record: record["caption"])) == ["b", "c", "x" * 43]
    assert file.rejected == [(f"{path}, line 3", "it has more than 50 characters")]


def test_every_line_is_read_or_listed(tmp_path: Path, random_lines: Callable[[int], list[str]]) -> None:
    """Whatever stands in a file: no row swallows another, and those that Python's own reader takes alone are right."""
    for seed in range(30):
        lines = random_lines(seed)
        file = RecordFile(write_lines(tmp_path, ["image,caption", *lines]))
        found = list(file.read(lambda record: (record["image"], record["caption"])))
        full = [line for line in lines if line.strip()]
        assert len(found) + len(file.rejected) == file.rows == len(full)
        bad = {int(source.rsplit(" ", 1)[1]) - 2 for source, _ in file.rejected}
        good = [line for number, line in enumerate(lines) if line.strip() and number not in bad]
        assert found == [tuple(next(csv.reader([line]))) for line in good]


@pytest.fixture
def random_lines() -> Callable[[int], list[str]]:
    import numpy as np

    def make(seed: int) -> list[str]:
        random = np.random.default_rng(seed)
        return ["".join(random.choice(list('ab ",,"'), size=random.integers(0, 9))) for _ in range(60)]

    return make


def write_lines(folder: Path, lines: Sequence[str]) -> Path:
    write(folder / "captions.csv", "\n".join(lines))
    return folder / "captions.csv"


def reviews(path: Path, lines: Sequence[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """The texts and classes of the tables of the one-file form, and the rejected lines' numbers."""
    write(path / "IMDB Dataset.csv", "\n".join(["review,sentiment", *lines]) + "\n")
    prepare("imdb", path, path / "arrow", max_rejected_fraction=0.1)
    rows = [row for part in ("train", "val") for row in read(path / "arrow" / f"imdb_{part}.arrow").to_pylist()]
    listed = path / "arrow" / "imdb_train.rejected.csv"
    with open(listed, newline="") if listed.exists() else open("/dev/null") as file:
        numbers = [row["source"].rsplit(", ", 1)[1] for row in csv.DictReader(file)]
    return [(row["text"], row["label"]) for row in rows], numbers


GOOD = [f'"Good, film {number}. He said ""yes"".\n\nThe end.",positive' for number in range(10)]
PLAIN = [f"Bad film {number},negative" for number in range(10)]


@pytest.mark.parametrize(
    "bad",
    [
        '"A quote that is open,positive',
        "A comma, two,negative",
        '"Open "quote",positive',
        '"Open\nfor two lines,negative',
        '"Open "quote"\nfor two lines,negative',
    ],
)
@pytest.mark.parametrize("behind", [GOOD, PLAIN])
def test_a_bad_review_does_not_swallow_others(tmp_path: Path, bad: str, behind: list[str]) -> None:
    before = PLAIN if behind is GOOD else GOOD
    found, numbers = reviews(tmp_path, [*before, bad, *behind])
    expected = [(f'Good, film {number}. He said "yes".\n\nThe end.', 1) for number in range(10)]
    expected += [(f"Bad film {number}", 0) for number in range(10)]
    assert sorted(found) == sorted(expected)
    first = 2 + sum(line.count("\n") + 1 for line in before)
    last = first + bad.count("\n")
    assert numbers == [f"line {first}" if last == first else f"lines {first} to {last}"]


def test_a_use_may_reject(tmp_path: Path) -> None:
    def use(record: dict[str, str]) -> str:
        if record["caption"] == "b":
            raise Rejected("no b")
        return record["caption"]

    file = RecordFile(write_lines(tmp_path, ["image,caption", "1,a", "2,b", "3,c"]))
    assert list(file.read(use)) == ["a", "c"]
    assert file.rejected == [(f"{file.path}, line 3", "no b")]
