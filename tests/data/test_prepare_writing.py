"""What holds for every data set: damaged files, kept tables, divisions, and runs that are killed."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from renaissance import processes
from renaissance.data.preparing import writing
from renaissance.data.sets import data_sets
from renaissance.data.tables.writer import TableWriter
from renaissance.errors import UserError
from tests.data.raw_folders import official, picture, prepare, read, write

REPOSITORY = Path(__file__).resolve().parents[2]
DONE = 2  # parts of five that are there when a run is killed
TABLE = "coco_caption_karpathy_train"


def _coco(root: Path, train: int, val: int = 2) -> Mapping[str, bytes]:
    official(root, "val", "2017", [f"v{number}.jpg" for number in range(val)])
    return official(root, "train", "2017", [f"{number:04d}.jpg" for number in range(train)])


def _flat(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (700, 700), (grey, grey, grey)).save(file, "PNG")
    return file.getvalue()


def _rejected(path: Path) -> dict[str, str]:
    with open(path, newline="", encoding="utf-8") as file:
        return {Path(row["source"]).name: row["reason"] for row in csv.DictReader(file)}


DAMAGE = {
    "missing": (None, "missing"),
    "empty": (b"", "cannot be read"),
    "text": (b"<html>404 not found</html>", "not an image"),
    "cut": (picture(0, size=(400, 300))[:5000], "truncated"),
    "bomb": (None, "pixels"),
    "folder": (None, "no plain file"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_image_is_left_out_counted_and_listed(tmp_path: Path, damage: str):
    written = _coco(tmp_path / "raw", 10)
    path = tmp_path / "raw" / "train2017" / "0003.jpg"
    content, reason = DAMAGE[damage]
    path.unlink()
    if damage == "bomb":
        write(path, b"P5 20000 20000 255 " + bytes(100))  # a picture of 400 million pixels in 119 bytes
    elif damage == "folder":
        path.mkdir()
    elif content is not None:
        write(path, content)

    reports = prepare("coco", tmp_path / "raw", tmp_path / "arrow", max_rejected_fraction=0.1)
    assert (reports[TABLE].rows, reports[TABLE].texts, reports[TABLE].rejected) == (9, 45, 1)
    table = read(tmp_path / "arrow" / f"{TABLE}.arrow")
    expected = {name: data for name, data in written.items() if name != "0003.jpg"}
    assert dict(zip(table["image_id"].to_pylist(), table["image"].to_pylist(), strict=True)) == expected
    listed = _rejected(tmp_path / "arrow" / f"{TABLE}.rejected.csv")
    assert list(listed) == ["0003.jpg"]
    assert reason in listed["0003.jpg"]
    assert not (tmp_path / "arrow" / "coco_caption_karpathy_val.rejected.csv").exists()
    assert prepare("coco", tmp_path / "raw", tmp_path / "arrow")[TABLE].rejected == 1  # kept, and still said


def test_too_many_damaged_images_are_an_error_until_they_are_mended(tmp_path: Path):
    written = _coco(tmp_path / "raw", 10)
    path = tmp_path / "raw" / "train2017" / "0003.jpg"
    path.write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"1 of 10 rows .* max_rejected_fraction=0\.05") as caught:
        prepare("coco", tmp_path / "raw", tmp_path / "arrow", max_rejected_fraction=0.05)
    assert f"{TABLE}.rejected.csv" in str(caught.value)
    assert list(_rejected(tmp_path / "arrow" / f"{TABLE}.rejected.csv")) == ["0003.jpg"]
    assert not list((tmp_path / "arrow").glob("*.arrow"))

    path.write_bytes(written["0003.jpg"])
    assert prepare("coco", tmp_path / "raw", tmp_path / "arrow", max_rejected_fraction=0.05)[TABLE].rows == 10
    assert not (tmp_path / "arrow" / f"{TABLE}.rejected.csv").exists()
    assert not list((tmp_path / "arrow").glob(".*.parts"))


def test_complete_tables_are_kept_and_others_written(tmp_path: Path):
    _coco(tmp_path / "raw", 4)
    prepare("coco", tmp_path / "raw", tmp_path / "arrow")
    train, val = (tmp_path / "arrow" / f"coco_caption_karpathy_{split}.arrow" for split in ("train", "val"))
    before = train.stat()
    whole = val.read_bytes()
    val.write_bytes(whole[:-100])  # as a copy that broke off leaves it

    reports = prepare("coco", tmp_path / "raw", tmp_path / "arrow")
    assert [(report.table, report.kept) for report in reports.values()] == [(train.stem, True), (val.stem, False)]
    assert (train.stat().st_mtime_ns, train.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert val.read_bytes() == whole


def test_a_table_that_is_no_table_of_captions_is_not_overwritten(tmp_path: Path, write_table):
    _coco(tmp_path / "raw", 4)
    (tmp_path / "arrow").mkdir()
    path = write_table(tmp_path / "arrow" / f"{TABLE}.arrow", {"precious": [1, 2, 3]})
    with pytest.raises(UserError, match="no column 'caption'"):
        prepare("coco", tmp_path / "raw", tmp_path / "arrow")
    assert read(path)["precious"].to_pylist() == [1, 2, 3]


def test_a_published_table_is_kept(tmp_path: Path, caption_table: Path):
    _coco(tmp_path / "raw", 4)
    reports = prepare("coco", tmp_path / "raw", caption_table.parent)
    assert (reports[TABLE].kept, reports[TABLE].rows) == (True, 12)


def test_tables_of_two_divisions_are_not_mixed(tmp_path: Path, capsys):
    official(tmp_path / "raw", "train", "2017", [f"{number}.jpg" for number in range(20)])
    prepare("coco", tmp_path / "raw", tmp_path / "arrow", seed=1)
    assert all(report.kept for report in prepare("coco", tmp_path / "raw", tmp_path / "arrow", seed=2).values())
    assert "seed=1" in capsys.readouterr().out
    (tmp_path / "arrow" / "coco_caption_karpathy_val.arrow").unlink()
    with pytest.raises(UserError, match=r"coco_caption_karpathy_train\.arrow .* seed=1"):
        prepare("coco", tmp_path / "raw", tmp_path / "arrow", seed=2)
    assert prepare("coco", tmp_path / "raw", tmp_path / "arrow", seed=1)["coco_caption_karpathy_val"].rows == 2


def test_kept_tables_of_another_fraction_are_said_with_both_figures(tmp_path: Path, capsys):
    official(tmp_path / "raw", "train", "2017", [f"{number}.jpg" for number in range(20)])
    prepare("coco", tmp_path / "raw", tmp_path / "arrow", val_fraction=0.2)
    assert "val_fraction" not in capsys.readouterr().out
    reports = prepare("coco", tmp_path / "raw", tmp_path / "arrow", val_fraction=0.5)
    assert [(report.rows, report.kept) for report in reports.values()] == [(16, True), (4, True)]
    assert "written with val_fraction=0.2 (asked for: 0.5) and are kept" in capsys.readouterr().out


def test_a_fraction_that_nothing_uses_is_said(tmp_path: Path, capsys):
    _coco(tmp_path / "raw", 4)
    prepare("coco", tmp_path / "raw", tmp_path / "arrow", val_fraction=0.5)
    assert "val_fraction=0.5 is not used: the data set divides itself" in capsys.readouterr().out
    prepare("coco", tmp_path / "raw", tmp_path / "arrow")
    assert "val_fraction" not in capsys.readouterr().out


def test_processes_write_the_same_tables(tmp_path: Path, monkeypatch):
    _coco(tmp_path / "raw", 40)
    (tmp_path / "raw" / "train2017" / "0017.jpg").write_bytes(b"damaged")
    monkeypatch.setattr(writing, "ROWS_A_PART", 4)
    monkeypatch.setattr(processes, "ALONE_SECONDS", 0)
    for number in (1, 2):
        prepare("coco", tmp_path / "raw", tmp_path / str(number), processes=number, max_rejected_fraction=0.1)
    for name in (f"{TABLE}.arrow", f"{TABLE}.rejected.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_finished_parts_are_not_made_again(tmp_path: Path, monkeypatch):
    _coco(tmp_path / "raw", 12)
    monkeypatch.setattr(writing, "ROWS_A_PART", 4)
    damaged = tmp_path / "raw" / "train2017" / "0010.jpg"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"damaged")
    with pytest.raises(UserError, match="max_rejected_fraction"):
        prepare("coco", tmp_path / "raw", tmp_path / "arrow")

    made: list[str] = []

    def add(writer: TableWriter, row: Mapping[str, object]) -> None:
        made.append(str(row["image_id"]))
        write_row(writer, row)

    write_row = TableWriter.add
    monkeypatch.setattr(TableWriter, "add", add)
    damaged.write_bytes(whole)
    prepare("coco", tmp_path / "raw", tmp_path / "arrow")
    assert [name for name in made if name.startswith("0")] == [f"{number:04d}.jpg" for number in range(8, 12)]


LAYOUTS = {
    "coco": ["karpathy/dataset_coco.json", "captions_train2017.json", "train2014/"],
    "vg": ["VG_100K_2", "region_descriptions.json"],
    "cifar10": ["cifar-10-batches-py", "cifar-10-batches-bin", "<class>"],
    "imdb": ["aclImdb/train/{pos,neg}", "IMDB Dataset.csv"],
    "folder": ["captions.csv", "metadata.jsonl"],
    "parquet": ["*.parquet"],
    "huggingface": ["dataset_dict.json", "*.parquet"],
    "webdataset": ["*.tar", "000017.jpg"],
}


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_raw_files_elsewhere_are_one_message(tmp_path: Path, dataset: str):
    write(tmp_path / "raw" / "something_else.zip", b"")
    (tmp_path / "raw" / "a_folder").mkdir()
    with pytest.raises(UserError) as caught:
        prepare(dataset, tmp_path / "raw", tmp_path / "arrow", dataset_name="mine")
    message = str(caught.value)
    for expected in (*LAYOUTS[dataset], "a_folder/", "something_else.zip", str(tmp_path / "raw")):
        assert expected in message
    with pytest.raises(UserError, match="is no folder"):
        prepare(dataset, tmp_path / "nowhere", tmp_path / "arrow", dataset_name="mine")


def test_images_that_are_not_there_are_the_layout_message(tmp_path: Path):
    _coco(tmp_path, 3)
    (tmp_path / "val2017").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="Expected there"):
        prepare("coco", tmp_path, tmp_path / "arrow")


def test_every_data_set_has_a_name_of_its_own():
    assert {"coco", "vg", "cifar10", "imdb", "folder", "scenes"} <= set(data_sets())
    assert {"parquet", "huggingface", "webdataset"} <= set(data_sets())


def _command(*settings: str) -> subprocess.Popen[str]:
    """`python run.py prepare with …`, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "run.py", "prepare", "with", *settings],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _finish(*settings: str) -> tuple[int, str]:
    process = _command(*settings)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def _processes_of(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and os.getpgid(int(folder.name)) == group:
                state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
                found += [int(folder.name)] if state != "Z" else []
        except (OSError, IndexError):
            continue
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_no_half_table_and_the_next_one_goes_on(tmp_path: Path, sent: signal.Signals):
    flat = [_flat(number) for number in range(4)]  # small files that take long to decode
    names = [f"{number:04d}.png" for number in range(1280)]
    official(tmp_path / "raw", "train", "2017", names)
    official(tmp_path / "raw", "val", "2017", ["v.png"])
    for number, name in enumerate(names):
        write(tmp_path / "raw" / "train2017" / name, flat[number % 4])
    arrow = tmp_path / "arrow"
    settings = ("dataset=coco", f"raw_root={tmp_path / 'raw'}", f"data_root={arrow}")

    process = _command(*settings)
    parts = arrow / f".{TABLE}.parts"
    deadline = time.monotonic() + 120
    while not (parts.is_dir() and len(list(parts.glob("*.arrow"))) >= DONE):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == (-sent if sent == signal.SIGKILL else 128 + sent)
    while _processes_of(process.pid):  # no orphan goes on writing
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not (arrow / f"{TABLE}.arrow").exists()
    done = list(parts.glob("*.arrow"))
    assert DONE <= len(done) < 5

    status, output = _finish(*settings)
    assert status == 0, output
    assert "1,280" in output
    table = read(arrow / f"{TABLE}.arrow")
    assert table["image_id"].to_pylist() == names
    assert table["image"].to_pylist() == [flat[number % 4] for number in range(1280)]
    assert not [path for path in arrow.iterdir() if "unfinished" in path.name or path.is_dir()]


def test_the_command_on_real_data(tmp_path: Path, real_data: Path):
    settings = ("dataset=coco", f"raw_root={real_data}", f"data_root={tmp_path}")
    status, output = _finish(*settings)
    assert status == 0, output
    assert [line.split() for line in output.splitlines()[-2:]] == [
        ["coco_caption_karpathy_train", "160", "801", "0"],
        ["coco_caption_karpathy_val", "40", "200", "0"],
    ]
    status, output = _finish(*settings)
    assert status == 0, output
    assert output.count("kept") == 2


def test_the_command_with_raw_files_elsewhere(tmp_path: Path):
    status, output = _finish("dataset=imdb", f"raw_root={tmp_path}", f"data_root={tmp_path / 'arrow'}")
    assert status == 2
    assert "Expected there" in output
    assert "Traceback" not in output
