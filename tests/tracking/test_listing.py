"""The listing of runs: how each stands, whatever its folder holds; its best value; and what is no run."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import time
import tracemalloc

import pytest

from renaissance.data.tables.content import content_of
from renaissance.tracking.listed_run import LARGEST_JSON, Change, _has_long_number, read_listed
from renaissance.tracking.listing import RunIndex, find_runs, list_runs
from renaissance.tracking.metrics import read_points
from renaissance.tracking.metrics_tail import PIECE_BYTES, TAIL_BYTES, last_points, series_of
from renaissance.tracking.run_folder import RunFolder, at_work_in
from tests.command_line import ROOT
from tests.tracking.run_folders import CURVES, STARTED, make_run, write_metrics


def only(parent):
    (run,) = list_runs(parent)
    return run


def test_a_finished_run_is_told_by_its_summary(tmp_path):
    make_run(tmp_path / "mlm" / "1", learning_rate=1e-3, seed=7)
    run = only(tmp_path)
    assert (run.name, run.status, run.seed, run.tasks, run.error) == ("mlm/1", "finished", 7, ("snli",), "")
    assert run.settings["learning_rate"] == 1e-3
    assert (run.monitor, run.more_is_better, run.best, run.best_step) == ("snli/val/accuracy", True, 0.75, 20)
    assert run.tested == {"snli/test/accuracy": 0.72, "snli/test/loss": 0.45}
    assert (run.step, run.total_steps, run.seconds) == (30, 30, 90)
    assert run.started == 1795687200  # 2026-11-26, 10 o'clock UTC


def test_what_is_at_work_runs_and_what_left_its_mark_crashed(tmp_path):
    folder = RunFolder(make_run(tmp_path / "mlm" / "1", status=None))
    with at_work_in(folder):
        assert only(tmp_path).status == "running"
        assert only(tmp_path).seconds > 1000
    assert only(tmp_path).status == "crashed", "an exception: no mark, no summary"
    folder.mark.touch()  # kill -9
    os.utime(folder.metrics, (1795687260, 1795687260))
    run = only(tmp_path)
    assert (run.status, run.step, run.seconds, run.best, run.tested["snli/test/loss"]) == (
        "crashed",
        30,
        60,
        0.75,
        0.45,
    )


def test_a_killed_process_is_told_from_one_that_lives(tmp_path):
    folder = RunFolder(make_run(tmp_path / "mlm" / "1", status=None))
    program = (
        "import sys, time; from pathlib import Path; from renaissance.tracking.run_folder import *\n"
        "with at_work_in(RunFolder(Path(sys.argv[1]))):\n    print('here', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, folder.path], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"here\n"
            assert only(tmp_path).status == "running"
        finally:
            process.kill()
            process.wait()
    assert only(tmp_path).status == "crashed"


@pytest.mark.parametrize(("killed", "counted"), [(True, 0), (False, 0), (True, 1)], ids=str)
def test_the_summary_of_an_earlier_start_does_not_tell_how_the_last_ended(tmp_path, killed, counted):
    """Also where a summary that does not count resumes, of an earlier version, is taken to be of the last start."""
    resumes = [{"step": 30, "changed": {}, "started": "2026-11-26T12:00:00+0000"}]
    summary = {"resumes": counted}
    folder = RunFolder(make_run(tmp_path / "mlm" / "1", status="interrupted", resumes=resumes, summary=summary))
    write_metrics(folder.metrics, {**CURVES, "snli/val/accuracy": [(10, 0.5), (40, 0.8)]})
    os.utime(folder.metrics, (1795694430, 1795694430))  # half a minute past twelve
    if killed:
        folder.mark.touch()
    run = only(tmp_path)
    assert (run.status, run.step, run.best, run.best_step, run.seconds) == ("crashed", 40, 0.8, 40, 120)


def test_a_run_killed_before_its_first_summary_keeps_its_hours(tmp_path):
    resumes = [{"step": 30, "changed": {}, "started": "2026-11-26T22:00:00+0000"}]
    folder = RunFolder(make_run(tmp_path / "mlm" / "1", status=None, resumes=resumes))
    row = "30,0.3,240,{},0.001,1.0,50\n"
    folder.pace.write_text("step,epoch,examples,seconds,learning_rate,gradient_norm,examples_per_second\n"
                           + row.format(60.0) + row.format(36_060.0) + row.format(math.inf) + "40,0.3,2")  # fmt: skip
    for path in (folder.metrics, folder.pace):  # a minute after the resume
        os.utime(path, (1795730460, 1795730460))
    assert only(tmp_path).seconds == 36_060
    os.utime(folder.metrics, (1795730490, 1795730490))
    assert only(tmp_path).seconds == 36_090, "a validation after the last row"
    os.utime(folder.pace, (1795730100, 1795730100))
    assert only(tmp_path).seconds == 36_060 + 90, "the pause before the resume is none of it"


def test_an_interrupted_run_and_a_summary_of_before_resumes_were_counted(tmp_path):
    make_run(tmp_path / "mlm" / "1", status="interrupted")
    old = make_run(tmp_path / "mlm" / "2", resumes=[{"step": 10, "changed": {}, "started": STARTED}])
    summary = json.loads((old / "summary.json").read_text())
    del summary["resumes"]
    (old / "summary.json").write_text(json.dumps(summary))
    assert [run.status for run in list_runs(tmp_path)] == ["interrupted", "finished"]


@pytest.mark.parametrize(("host", "said"), [("elsewhere", True), (platform.node(), False)])
def test_a_mark_of_another_machine_is_said_to_be_one(tmp_path, host, said):
    folder = make_run(tmp_path / "mlm" / "1", status=None, command={"host": host})
    (folder / ".alive").touch()
    run = only(tmp_path)
    assert run.status == "crashed"
    assert ("no lock of elsewhere" in run.remark) == said


def test_a_run_that_has_written_nothing_yet_is_there(tmp_path):
    folder = RunFolder(tmp_path / "mlm" / "1")
    folder.path.mkdir(parents=True)
    assert list_runs(tmp_path) == []
    with at_work_in(folder):
        run = only(tmp_path)
    assert (run.status, run.error, run.best) == ("running", "", None)


def test_settings_are_those_that_resumes_left(tmp_path):
    changed = [{"learning_rate": [1e-4, 2e-4]}, {"learning_rate": [2e-4, 5e-5], "max_steps": [30, 60]}]
    resumes = [{"step": 10 * number, "changed": one, "started": STARTED} for number, one in enumerate(changed, 1)]
    make_run(tmp_path / "mlm" / "1", resumes=resumes, learning_rate=1e-4, max_steps=30)
    run = only(tmp_path)
    assert (run.settings["learning_rate"], run.settings["max_steps"]) == (5e-5, 60)
    assert run.changes[1] == Change(20, "learning_rate", 2e-4, 5e-5)


@pytest.mark.parametrize(("values", "best", "step"), [
    ([math.nan, 0.4, 0.3], 0.4, 20),
    ([0.3, math.nan, 0.3], 0.3, 10),
    ([math.nan, math.nan], math.nan, 10),
    ([], None, None),
])  # fmt: skip
def test_the_best_is_the_first_of_equals_and_a_number_where_there_is_one(tmp_path, values, best, step):
    series = [(10 * number, value) for number, value in enumerate(values, 1)]
    make_run(tmp_path / "mlm" / "1", {"snli/val/accuracy": series, "snli/val/loss": [(10, 0.1)]}, status=None)
    run = only(tmp_path)
    assert (run.best, run.best_step) == (pytest.approx(best, nan_ok=True), step)


def test_several_tasks_are_judged_by_their_weighted_losses(tmp_path):
    curves = {
        "itm/val/loss": [(10, 0.5), (20, 0.2)],
        "mlm/val/loss": [(10, 3.0), (20, 3.2)],
        "itm/val/accuracy": [(20, 1.0)],
    }
    make_run(tmp_path / "both" / "1", curves, loss_names={"itm": 0.5, "mlm": 1})
    run = only(tmp_path)
    assert (run.monitor, run.best, run.best_step) == ("0.5 × itm/val/loss + mlm/val/loss", 3.25, 10)
    make_run(tmp_path / "named" / "1", curves, loss_names={"itm": 0.5, "mlm": 1}, monitor="itm/val/loss")
    assert (list_runs(tmp_path)[1].best, list_runs(tmp_path)[1].more_is_better) == (0.2, False)


def test_a_task_that_is_not_installed_is_judged_by_its_loss(tmp_path):
    make_run(tmp_path / "mlm" / "1", {"mine/val/loss": [(10, 0.5), (20, 0.4)]}, loss_names={"mine": 1})
    assert (only(tmp_path).best, only(tmp_path).tasks) == (0.4, ("mine",))


def test_the_listing_is_the_runs_own_summary(run):
    folder, _ = run("task_mlm_itm", "scenes", "tiny", max_steps=4, val_check_interval=2, learning_rate=1e-3)
    summary = json.loads(folder.summary.read_text())
    found = only(folder.path.parent.parent)
    assert (found.status, found.monitor, found.best_step) == ("finished", summary["monitor"], summary["best_step"])
    points = read_points(folder.metrics)
    sums = [one.value + other.value for one, other in zip(points["itm/val/loss"], points["mlm/val/loss"], strict=True)]
    assert found.best == pytest.approx(min(sums))
    assert found.tested == {name: value for name, value in summary["final"].items() if "/test/" in name}
    assert (found.step, found.total_steps) == (4, 4)
    tables = {
        f"{split}/scenes_{split}.arrow": run.data_root / f"scenes_{split}.arrow" for split in ("train", "val", "test")
    }
    assert found.tables == {name: path.stat().st_size for name, path in tables.items()}
    assert found.contents == {name: content_of(path) for name, path in tables.items()}
    assert found.remark == found.error == ""


BROKEN = {
    "half written": (b'{"seed": 1, "loss_na', "config.json cannot be read"),
    "no values": (b"[1, 2]", "holds no values by name"),
    "nothing": (b"", "cannot be read"),
    "no text": (bytes(range(256)), "cannot be read"),
    "deep": (b'{"seed": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cannot be read"),
    "no tasks": (b'{"seed": 1}', "'loss_names' is missing"),
    "odd tasks": (b'{"seed": 1, "loss_names": {"mlm": "much"}}', "not supported"),
    "odd seed": (b'{"seed": [], "loss_names": {}}', "int()"),
    "a large seed": (b'{"seed": 1e999, "loss_names": {}}', "infinity"),
    "digits": (b'{"seed": 1' + b"0" * 400 + b', "loss_names": {}}', "a number of hundreds of digits"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_run_is_a_row_that_says_so(tmp_path, what):
    content, said = BROKEN[what]
    make_run(tmp_path / "mlm" / "1")
    make_run(tmp_path / "mlm" / "2").joinpath("config.json").write_bytes(content)
    make_run(tmp_path / "mlm" / "3")
    runs = list_runs(tmp_path)
    assert [run.status for run in runs] == ["finished", "broken", "finished"]
    assert said in runs[1].error


@pytest.mark.parametrize("steps", ["many", [1], 1e999, True])
def test_total_steps_that_are_no_number_are_said(tmp_path, steps):
    make_run(tmp_path / "mlm" / "1", status=None, command={"total_steps": steps})
    assert (only(tmp_path).status, only(tmp_path).error) == ("broken", "command.json: total_steps is no whole number")


def test_files_that_are_none_do_not_hold_a_listing_up(tmp_path):
    for number in range(1, 6):
        make_run(tmp_path / "mlm" / str(number))
    folders = [tmp_path / "mlm" / str(number) for number in range(1, 6)]
    names = ("config.json", "command.json", "summary.json", "metrics.csv")
    for name, folder in zip(names, folders, strict=False):
        (folder / name).unlink()
        os.mkfifo(folder / name)  # nobody writes to it: who opens it to read would wait for ever
    (folders[4] / "command.json").unlink()
    make_run(tmp_path / "mlm" / "6").joinpath("config.json").unlink()
    (tmp_path / "mlm" / "6" / "config.json").mkdir()
    with (make_run(tmp_path / "mlm" / "7") / "command.json").open("wb") as file:
        file.truncate(LARGEST_JSON + 1)
    errors = [run.error for run in list_runs(tmp_path)]
    assert errors[:4] == [
        f"{name}: is no file" for name in ("config.json", "command.json", "summary.json", "metrics.csv")
    ]
    assert "command.json: No such file" in errors[4]
    assert errors[5:] == ["config.json: is no file", "command.json has more than 16 MB"]


@pytest.mark.parametrize("name", ["config.json", "command.json", "summary.json", "metrics.csv"])
def test_a_link_out_of_a_run_is_not_followed(tmp_path, name):
    folder = make_run(tmp_path / "mlm" / "1", status=None if name == "metrics.csv" else "finished")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert only(tmp_path).error == f"{name}: is a link out of its folder"
    (folder / name).unlink()
    (tmp_path / name).rename(folder / "kept")
    (folder / name).symlink_to("kept")
    assert only(tmp_path).error == ""


def test_only_runs_are_found_each_once_and_by_number(tmp_path):
    for name in ("b/10", "b/2", "a/1", "deeper/still/3"):
        make_run(tmp_path / name)
    for name in ("comparisons/1", "searches/2", "a/01x", "a/tensorboard", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "comparisons" / "1" / "comparison.csv").touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path)  # a loop
    (tmp_path / "a" / "12").symlink_to(tmp_path / "a" / "1")
    (tmp_path / "aa").symlink_to(tmp_path / "b")
    (tmp_path / "a" / "lost").symlink_to(tmp_path / "nowhere")
    assert [run.name for run in list_runs(tmp_path)] == ["a/1", "b/2", "b/10", "deeper/still/3"]
    assert find_runs(tmp_path / "nowhere") == []
    assert [run.name for run in list_runs(tmp_path / "a" / "1")] == ["a/1"]


def test_a_folder_elsewhere_is_found_through_its_link(tmp_path):
    make_run(tmp_path / "scratch" / "1")
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "mlm").symlink_to(tmp_path / "scratch")
    assert [run.name for run in list_runs(tmp_path / "result")] == ["mlm/1"]


def test_an_index_reads_again_what_has_changed_and_nothing_else(tmp_path, monkeypatch):
    read = []
    reading = "renaissance.tracking.listing.read_listed"
    monkeypatch.setattr(reading, lambda path, name: read.append(name) or read_listed(path, name))
    folders = [make_run(tmp_path / "mlm" / str(number), status=None) for number in (1, 2)]
    index = RunIndex(tmp_path)
    assert [run.best for run in index.runs()] == [0.75, 0.75]
    read.clear()
    with (folders[1] / "metrics.csv").open("a") as file:
        file.write("40,0.1,snli/val/accuracy,0.9\n")
    assert [run.best for run in index.runs()] == [0.75, 0.9]
    assert read == ["mlm/2"]
    read.clear()
    with at_work_in(RunFolder(folders[0])):
        assert [run.status for run in index.runs()] == ["running", "crashed"]
        assert [run.status for run in index.runs()] == ["running", "crashed"]
        assert read == ["mlm/1", "mlm/1"], "one at work is looked at each time"
    assert index.runs()[0].status == "crashed"
    make_run(tmp_path / "mlm" / "3")
    assert len(index.runs()) == 3


def test_a_file_that_is_being_written_to_is_read_up_to_its_last_whole_row(tmp_path):
    path = tmp_path / "metrics.csv"
    write_metrics(path, CURVES)
    with path.open("a") as file:
        file.write("40,0.1,snli/val/accuracy,0.9")  # of 0.95, perhaps
    assert [point.value for point in series_of(path, ["snli/val/accuracy"])["snli/val/accuracy"]] == [0.5, 0.75, 0.7]
    assert last_points(path)["snli/val/accuracy"].step == 30
    assert last_points(tmp_path / "none.csv") == series_of(tmp_path / "none.csv", ["a/b/c"]) == {}


def test_a_long_file_gives_what_reading_all_of_it_gives(tmp_path):
    path = tmp_path / "metrics.csv"
    names = [f"mlm/{split}/{metric}" for split in ("train", "val") for metric in ("loss", "accuracy")]
    write_metrics(path, {name: [(step, step / 7) for step in range(1, 9_000)] for name in [*names, "itm/mlm/val/loss"]})
    assert path.stat().st_size > PIECE_BYTES > TAIL_BYTES
    whole = read_points(path)
    assert series_of(path, ["mlm/val/loss", "mlm/none/loss"]) == {"mlm/val/loss": whole["mlm/val/loss"]}
    assert last_points(path) == {name: series[-1] for name, series in whole.items()}


def test_a_file_that_is_one_hole_is_read_in_pieces(tmp_path):
    path = tmp_path / "metrics.csv"
    write_metrics(path, CURVES)
    with path.open("r+b") as file:
        file.truncate(64_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b"\n40,0.1,snli/val/accuracy,0.9\n")
    tracemalloc.start()
    try:
        found = series_of(path, ["snli/val/accuracy"])["snli/val/accuracy"]
        assert tracemalloc.get_traced_memory()[1] < 4 * PIECE_BYTES
    finally:
        tracemalloc.stop()
    assert [point.value for point in found] == [0.5, 0.75, 0.7, 0.9]


def test_unreadable_folders_are_passed_over(tmp_path, monkeypatch):
    make_run(tmp_path / "a" / "1")
    make_run(tmp_path / "b" / "1")
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert [run.name for run in list_runs(tmp_path)] == ["b/1"]


def test_hundreds_of_runs_take_a_moment(tmp_path):
    for number in range(1, 201):
        make_run(tmp_path / "mlm" / str(number), seed=number)
    started = time.process_time()
    assert len(list_runs(tmp_path)) == 200
    assert time.process_time() - started < 2, "a tenth of that, where nothing else is at work"


@pytest.mark.parametrize("before", [0, 1, 149, 150, 151, 299])
def test_a_number_of_hundreds_of_digits_is_found_wherever_it_stands(before):
    assert _has_long_number(b" " * before + b"7" * 300 + b" ")
    assert not _has_long_number(b" " * before + b"7" * 299 + b" " + b"7" * 299)
