"""A whole run by `run.py`, recorded in MongoDB, interrupted and resumed."""

from __future__ import annotations

import csv
import os
import signal

from gridfs import GridFS

from renaissance.registrations import Registrations
from renaissance.tracking.mongo import courier
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers import registry
from renaissance.tracking.trackers.interface import Tracker
from renaissance.tracking.trackers.registry import register_tracker
from run import run_command_line

SHORT = ["task_itm", "scenes", "tiny", "num_scenes=120", "num_workers=0", "num_gpus=0", "max_steps=4", "log_interval=1",
         "val_check_interval=2", "warmup_steps=0", "exp_name=short"]  # fmt: skip


class TurnsOff(Tracker):
    """Sends SIGTERM when step 3 is logged."""

    name = "turns_off"

    def log(self, step, epoch, values):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_that_is_interrupted_and_resumed_is_one_record(
    database,
    mongo,
    scenes_root,
    tmp_path,
    monkeypatch,
    capsys,
):
    monkeypatch.setattr(courier, "INTERVAL_SECONDS", 0.2)
    url = f"{mongo.address}/{database.name}"
    words = ["run.py", "with", *SHORT, f"data_root={scenes_root}", f"log_dir={tmp_path}"]
    with monkeypatch.context() as patched:
        patched.setattr(registry, "_registered", Registrations("tracker"))
        register_tracker(TurnsOff)
        assert run_command_line([*words, f"mongo_url={url}"]) == 143
    assert database.runs.find_one()["status"] == "INTERRUPTED"
    assert run_command_line([*words, "resume_from=auto"]) == 0  # its mongo_url is the run's own
    [record] = database.runs.find()
    assert (record["_id"], record["status"], record["command"]) == (1, "COMPLETED", "main")
    assert record["config"]["mongo_url"] == url
    assert record["config"]["loss_names"]["itm"] == 1
    assert {"run.py", "config.py", "renaissance/errors.py"} <= {name for name, _ in record["experiment"]["sources"]}
    assert "--- resumed at step 3 ---" in record["captured_out"]
    assert record["info"]["final"].keys() == {
        metric["name"] for metric in record["info"]["metrics"] if not metric["name"].startswith("pace/")
    }

    folder = RunFolder(tmp_path / "short" / "1")
    with folder.metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert database.metrics.find_one({"name": "pace/learning_rate"})["steps"] == [1, 2, 3, 4]
    for metric in database.metrics.find({"name": {"$not": {"$regex": "^pace/"}}}):
        assert metric["steps"] == [int(row["step"]) for row in rows if row["name"] == metric["name"]]
        assert metric["values"] == [float(row["value"]) for row in rows if row["name"] == metric["name"]]
    assert database.metrics.find_one({"name": "itm/train/loss"})["steps"] == [1, 2, 3, 4]
    files = GridFS(database)
    contents = {artefact["name"]: files.get(artefact["file_id"]).read() for artefact in record["artifacts"]}
    assert {"config.json", "command.json", "summary.json", "metrics.csv", "plots_itm_loss.png"} <= contents.keys()
    assert contents["metrics.csv"] == folder.metrics.read_bytes()
    sources = {name: files.get(number).read() for name, number in record["experiment"]["sources"]}
    assert b"def run_command_line" in sources["run.py"]
    assert f"MongoDB {mongo.address.removeprefix('mongodb://')}/{database.name}, run 1" in capsys.readouterr().err
