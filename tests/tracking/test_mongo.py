"""A run's record in MongoDB: what is in it, against a real server."""

from __future__ import annotations

import decimal
import json
import math
import threading
from fractions import Fraction

import numpy as np
import pytest
import torch
from gridfs import GridFS
from sacred import Experiment
from sacred.observers import MongoObserver as OfSacred

from renaissance.tracking.mongo import courier, series
from renaissance.tracking.mongo.address import Address
from renaissance.tracking.mongo.output import HEAD_BYTES, TAIL_BYTES, bounded
from renaissance.tracking.mongo.recorder import MongoObserver
from renaissance.tracking.mongo.series import MOST_POINTS, Series
from renaissance.tracking.mongo.values import number, plain
from tests.tracking.mongo_server import opened
from tests.tracking.recorded import RecordedRun, steps_on, until
from tests.tracking.started import run_start


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(courier, "INTERVAL_SECONDS", 0.05)


@pytest.fixture
def url(mongo, database):
    return f"{mongo.address}/{database.name}"


# What is in it


def test_the_record_is_the_one_that_sacreds_observer_writes(mongo, database, url, tmp_path):
    """Both observe the same run; what differs is what is meant to."""
    ours = MongoObserver(Address.of_url(url), 20, False)
    experiment = Experiment("both", base_dir=str(tmp_path), save_git_info=False)
    (tmp_path / "source.py").write_text("print(1)\n")
    experiment.add_source_file(str(tmp_path / "source.py"))
    experiment.add_config(seed=1, text="ä", deep={"b": [1, 2.5, None]}, tuple=(1, 2))
    run_folder = tmp_path / "run"
    run_folder.mkdir()

    @experiment.main
    def main(_run):
        start = run_start(run_folder)
        tracker = ours.tracker()
        tracker.start(start)
        for step in (1, 2, 3):
            _run.log_scalar("itm/train/loss", 1 / step, step)
            tracker.log(step, 0.1, {"itm/train/loss": 1 / step})
        _run.log_scalar("itm/val/accuracy", float("nan"), 3)
        tracker.log(3, 0.1, {"itm/val/accuracy": float("nan")})
        (run_folder / "config.json").write_text("{}")
        _run.add_artifact(str(run_folder / "config.json"))
        _run.info["final"] = {"itm/val/accuracy": 0.5}
        print("printed")

    with opened(mongo.address) as theirs_database:
        experiment.observers += [OfSacred(url=mongo.address, db_name=theirs_database.name), ours]
        experiment.run(options={"--capture": "sys"})
        theirs, our = theirs_database.runs.find_one(), database.runs.find_one()
        pairs = {name: (theirs[name], our.get(name)) for name in theirs}
        metrics = [list(one.metrics.find(sort=[("name", 1)])) for one in (theirs_database, database)]
        files = [dict(_files(one)) for one in (theirs_database, database)]

    assert our.keys() - theirs.keys() == {"uid"}
    same = {name for name, (their, our_value) in pairs.items() if their == our_value}
    assert theirs.keys() - same <= {"experiment", "info", "artifacts"}
    assert [artefact["name"] for artefact in our["artifacts"]] == ["config.json"]
    assert our["experiment"] == {**theirs["experiment"], "sources": our["experiment"]["sources"]}
    assert [name for name, _ in our["experiment"]["sources"]] == [name for name, _ in theirs["experiment"]["sources"]]
    assert our["info"]["final"] == theirs["info"]["final"]
    assert [one["name"] for one in our["info"]["metrics"]] == [one["name"] for one in theirs["info"]["metrics"]]
    assert [str(one["_id"]) for one in metrics[1]] == [one["id"] for one in our["info"]["metrics"]]
    for their, mine in zip(*metrics, strict=True):
        assert list(mine) == ["_id", "run_id", "name", "steps", "values", "timestamps"]
        assert mine.keys() == their.keys()
        assert (mine["run_id"], mine["name"], mine["steps"]) == (their["run_id"], their["name"], their["steps"])
        assert repr(mine["values"]) == repr(their["values"])
        apart = [abs((a - b).total_seconds()) for a, b in zip(mine["timestamps"], their["timestamps"], strict=True)]
        assert max(apart) < 1
    assert files[0] == files[1]


def _files(database):
    """Names and contents, read by GridFS's own reader."""
    for file in GridFS(database).find():
        is_artefact = file.filename.startswith("artifact:")
        yield file.filename, (file.read(), file._file.get("contentType") if is_artefact else None)


def test_numbers_of_every_type_are_numbers(database, url, tmp_path):
    given = [1, 2.5, True, np.float32(0.5), np.int64(7), np.bool_(True), torch.tensor(1.5), torch.tensor([3]),
             decimal.Decimal("0.25"), Fraction(1, 4), math.nan, math.inf, -math.inf, 10**400, torch.tensor(2.0).half(),
             torch.tensor(1.0, requires_grad=True)]  # fmt: skip
    run = RecordedRun(tmp_path, url)
    for step, value in enumerate(given):
        run._tracker.log(step, 0.0, {"itm/train/loss": value})
    run._tracker.log(99, 0.0, {"itm/train/loss": "no number", "itm/train/other": 1})
    run.beat(many=2**80, tensor=torch.tensor(1.5), deep={"a.b": {1, 2}, "$c": object, 3: b"\xff"})
    run.complete()
    values = database.metrics.find_one({"name": "itm/train/loss"})["values"]
    assert all(type(value) is float for value in values)
    expected = [1, 2.5, 1, 0.5, 7, 1, 1.5, 3, 0.25, 0.25, math.nan, math.inf, -math.inf, math.inf, 2, 1]
    assert repr(values) == repr([float(value) for value in expected])
    assert database.runs.find_one()["info"]["many"] == 2.0**80


def test_values_are_made_fit_for_a_database():
    assert plain({"a.b": (1, {"$c": "\ud800"}), 3: 2**70}) == {"a,b": [1, {"@c": "?"}], "3": 2.0**70}
    assert number(np.float16(0.5)) == 0.5
    with pytest.raises(TypeError):
        number("1.0")


def test_long_output_keeps_its_head_and_its_tail(database, url, tmp_path):
    run = RecordedRun(tmp_path, url)
    run.beat("first\n" + "ä" * 10_000_000 + "\nlast")
    run.complete()
    output = database.runs.find_one()["captured_out"]
    assert output.startswith("first\nä")
    assert output.endswith("ä\nlast")
    assert len(output.encode()) < HEAD_BYTES + TAIL_BYTES + 200
    assert "bytes of output are left out here" in output
    assert bounded("short\ud800") == "short?"


def test_a_series_of_a_million_steps_is_thinned_evenly():
    points = Series()
    for step in range(1, 1_000_001):
        points.add(step, step * 2.0, float(step))
    assert MOST_POINTS / 2 <= len(points) <= MOST_POINTS
    gaps = set(np.diff(points.steps))
    assert gaps == {points.stride}
    assert points.steps[0] == 1
    assert points.steps[-1] > 1_000_000 - points.stride
    assert list(points.values) == [2.0 * step for step in points.steps]
    again = Series.of(json.loads(json.dumps(points.content())))
    again.add(1_000_001, 0.0, 0.0)
    assert again.count == 1_000_001


def test_a_long_metric_is_thinned_on_the_server_too(database, url, tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_POINTS", 50)
    run = RecordedRun(tmp_path, url)
    for step in range(1, 401):
        run._tracker.log(step, 0.0, {"itm/train/loss": step})
        if step % 40 == 0:
            run.beat()
            until(lambda: len(steps_on(database)) > 0)
    run.complete()
    steps = steps_on(database)
    assert 25 <= len(steps) <= 50
    assert steps == list(range(1, 401, steps[1] - steps[0]))


def test_artefacts_are_those_of_the_folder_and_nothing_else(database, url, tmp_path):
    (tmp_path / "secret").write_text("of somebody else")
    path = tmp_path / "run"
    run = RecordedRun(path, url, checkpoints=True)
    for name in ("plots/itm_loss.png", "samples/step_1.png", "summary.json", "checkpoints/best.ckpt"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(name.encode() * 100_000)
    (path / "samples" / "link.png").symlink_to(tmp_path / "secret")
    run.losses(1)
    until(lambda: any(a["name"].startswith("plots_") for a in _artefacts(database)))
    (path / "plots" / "itm_loss.png").write_bytes(b"drawn again")
    run.complete()
    names = {artefact["name"]: artefact["file_id"] for artefact in _artefacts(database)}
    assert names.keys() == {"config.json", "plots_itm_loss.png", "samples_step_1.png", "summary.json", "metrics.csv",
                            "checkpoints_best.ckpt"}  # fmt: skip
    files = GridFS(database)
    assert files.get(names["plots_itm_loss.png"]).read() == b"drawn again"
    assert files.get(names["checkpoints_best.ckpt"]).read() == b"checkpoints/best.ckpt" * 100_000
    assert database["fs.files"].count_documents({"filename": {"$regex": "itm_loss"}}) == 1, "the earlier picture went"
    assert {chunk["files_id"] for chunk in database["fs.chunks"].find({}, {"files_id": 1})} == {
        file["_id"] for file in database["fs.files"].find({}, {"_id": 1})
    }


def _artefacts(database):
    run = database.runs.find_one()
    return run["artifacts"] if run else []


# Numbers, ends and resumes


def test_several_runs_at_once_are_numbered_from_one(database, url, tmp_path):
    def whole(name):
        run = RecordedRun(tmp_path / str(name), url)
        run.losses(1, 2, name)
        run.complete()

    threads = [threading.Thread(target=whole, args=(10 + number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run["_id"] for run in database.runs.find()) == [1, 2, 3, 4]
    assert sorted(steps_on(database, run=number)[-1] for number in (1, 2, 3, 4)) == [10, 11, 12, 13]
    assert database["fs.files"].count_documents({"filename": {"$regex": r"run\.py$"}}) == 1, "shared by all"


def test_a_number_that_is_asked_for(database, url, tmp_path):
    database.runs.insert_one({"_id": 7})
    RecordedRun(tmp_path / "a", url, number="mine").complete()
    RecordedRun(tmp_path / "b", url).complete()
    RecordedRun(tmp_path / "c", url, number="mine").complete()
    assert [run["_id"] for run in database.runs.find(sort=[("_id", 1)])] == [7, 8, 9, "mine"]


def test_how_a_run_ended(database, url, tmp_path):
    RecordedRun(tmp_path / "a", url).fail()
    RecordedRun(tmp_path / "b", url).interrupt()
    RecordedRun(tmp_path / "c", url).complete()
    runs = list(database.runs.find(sort=[("_id", 1)]))
    assert [run["status"] for run in runs] == ["FAILED", "INTERRUPTED", "COMPLETED"]
    assert runs[0]["fail_trace"] == ["Traceback\n", "ValueError: no\n"]
    assert all(run["stop_time"] >= run["start_time"] for run in runs)


def test_a_resumed_run_goes_on_in_its_own_record(database, url, tmp_path):
    run = RecordedRun(tmp_path, url)
    run.losses(1, 2, 3, 4, 5)
    run.log(4, {"itm/val/accuracy": 0.5})
    run.beat("before\n")
    run.interrupt()
    first = database.runs.find_one()
    times = database.metrics.find_one({"name": "itm/train/loss"})["timestamps"]

    run = RecordedRun(tmp_path, url, resumed_step=3)
    until(lambda: database.runs.find_one()["status"] == "RUNNING")
    assert "stop_time" not in database.runs.find_one()
    run.losses(4, 5, 6)
    run.log(4, {"itm/val/accuracy": 0.75})
    run.beat("after\n")
    run.complete()
    [record] = database.runs.find()
    assert (record["uid"], record["start_time"]) == (first["uid"], first["start_time"])
    assert record["captured_out"] == "before\n\n--- resumed at step 3 ---\nafter\n"
    assert [resume["step"] for resume in record["info"]["resumes"]] == [3]
    metric = database.metrics.find_one({"name": "itm/train/loss"})
    assert metric["steps"] == [1, 2, 3, 4, 5, 6]
    assert metric["timestamps"][:3] == times[:3]
    assert database.metrics.find_one({"name": "itm/val/accuracy"})["values"] == [0.75]


def test_a_run_that_began_without_mongodb_is_recorded_whole_when_it_goes_on_with_it(database, url, tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,name,value\n1,0.1,itm/train/loss,0.01\n2,0.2,itm/train/loss,0.02\n"
    )
    run = RecordedRun(tmp_path, url, resumed_step=2)
    run.losses(3)
    run.complete()
    assert steps_on(database) == [1, 2, 3]
