"""A run's folder: numbered, never shared, found again when unfinished; its metrics survive being interrupted."""

from __future__ import annotations

import csv
import os

import pytest

from renaissance.atomic_files import write_json
from renaissance.errors import UserError
from renaissance.tracking.metrics import read_points
from renaissance.tracking.run_folder import (
    at_work_in,
    check_writable,
    new_run_folder,
    newest_unfinished,
    unfinished_run_of,
)
from tests.tracking.started import metrics_file


def finish(folder, status="finished"):
    write_json(folder.summary, {"status": status})


def give_checkpoint(folder):
    folder.last_checkpoint.parent.mkdir()
    folder.last_checkpoint.touch()
    folder.config.write_text("{}")


def test_runs_are_numbered_and_an_old_one_is_never_reused(tmp_path):
    first = new_run_folder(str(tmp_path), "mlm")
    (tmp_path / "mlm" / "7").mkdir()
    (tmp_path / "mlm" / "notes").mkdir()
    second = new_run_folder(str(tmp_path), "mlm")
    assert (first.path.name, second.path.name) == ("1", "8")


def test_the_newest_unfinished_run_with_a_checkpoint_is_found(tmp_path):
    assert newest_unfinished(str(tmp_path), "mlm") is None
    folders = [new_run_folder(str(tmp_path), "mlm") for _ in range(4)]
    for folder in folders[:3]:
        give_checkpoint(folder)
    finish(folders[2])
    finish(folders[1], "interrupted")
    assert newest_unfinished(str(tmp_path), "mlm") == folders[1]
    assert unfinished_run_of(folders[1].last_checkpoint).path.samefile(folders[1].path)
    assert unfinished_run_of(folders[2].last_checkpoint) is None
    copied = tmp_path / "copy.ckpt"
    copied.touch()
    assert unfinished_run_of(copied) is None


def test_a_run_that_a_process_is_at_work_on_is_not_resumed(tmp_path):
    folder = new_run_folder(str(tmp_path), "mlm")
    give_checkpoint(folder)
    with at_work_in(folder):
        assert newest_unfinished(str(tmp_path), "mlm") is None
        assert newest_unfinished(str(tmp_path), "mlm", alive_too=True) == folder
        with pytest.raises(UserError, match="another process is training this run"), at_work_in(folder):
            pass
    assert newest_unfinished(str(tmp_path), "mlm") == folder


def test_resuming_drops_the_rows_behind_the_checkpoint_and_a_torn_last_row(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics = metrics_file(tmp_path)
    for step in (10, 20, 30):
        metrics.log(step, step / 8, {"mlm/train/loss": 1 / step})
    with path.open("a") as file:
        file.write("40,5.0,mlm/tr")
    resumed = metrics_file(tmp_path, resumed_step=20)
    resumed.log(30, 3.75, {"mlm/train/loss": 0.25})
    rows = list(csv.DictReader(path.open(newline="")))
    assert [(int(row["step"]), float(row["value"])) for row in rows] == [(10, 0.1), (20, 0.05), (30, 0.25)]
    assert [point.step for point in read_points(path)["mlm/train/loss"]] == [10, 20, 30]


def test_a_folder_that_cannot_be_made_is_known_before(tmp_path, monkeypatch):
    check_writable(tmp_path / "a" / "b", "log_dir=a")
    assert list(tmp_path.iterdir()) == [], "nothing is made"
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^log_dir=a: no folder can be made there \(.*file is no folder\)"):
        check_writable(tmp_path / "file" / "b", "log_dir=a")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UserError, match=r"^log_dir=a: no folder can be made there \(.* cannot be written to\)"):
        check_writable(tmp_path / ("n" * 300), "log_dir=a")
