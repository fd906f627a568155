"""The tracker of Weights & Biases, against its real package without a network: its files are read back."""

from __future__ import annotations

import csv
import json
import math
import struct
import sys
import time

import pytest

pytest.importorskip("wandb")

from wandb.proto import wandb_internal_pb2

from renaissance.errors import Interrupted, UserError
from renaissance.tracking.pace import read_pace
from renaissance.tracking.trackers import wandb as tracker
from tests.tracking.started import run_start
from tests.training.interrupting import stop_at

SETTINGS = {"wandb_project": "tests", "wandb_offline": True, "max_steps": 4, "warmup_steps": 0,
            "val_check_interval": 2, "log_interval": 1, "batch_size": 8, "per_gpu_batchsize": 8}  # fmt: skip
WRITTEN_SECONDS = 20.0
BLOCK = 32768  # https://github.com/google/leveldb/blob/main/doc/log_format.md, behind 7 bytes of W&B's own


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """A user whom W&B does not know."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))


def records(path):
    """The records of a .wandb file."""
    data, place, whole, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        whole = data[place + 7 : place + 7 + length] if kind in (1, 2) else whole + data[place + 7 : place + 7 + length]
        if kind in (1, 4):
            found.append(wandb_internal_pb2.Record.FromString(whole))
        place += 7 + length
    return found


def values(items):
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def read(folder):
    """Every offline leg of a run: number, settings, rows of the history, summary and exit status.

    W&B's own process writes the end of a file when we have gone on already, so that is waited for.
    """
    deadline = time.monotonic() + WRITTEN_SECONDS
    legs = read_now(folder)
    while not all("exit" in leg for leg in legs) and time.monotonic() < deadline:
        time.sleep(0.1)
        legs = read_now(folder)
    return legs


def read_now(folder):
    """What of the legs has been written."""
    legs = []
    for path in sorted(folder.path.glob("wandb/offline-run-*/*.wandb")):
        leg = {"rows": [], "config": {}, "summary": {}}
        for record in records(path):
            match record.WhichOneof("record_type"):
                case "run":
                    leg |= {"id": record.run.run_id, "project": record.run.project, "name": record.run.display_name}
                    leg["config"] |= values(record.run.config.update)
                case "config":
                    leg["config"] |= values(record.config.update)
                case "history":
                    leg["rows"].append(values(record.history.item))
                case "summary":
                    leg["summary"] |= values(record.summary.update)
                case "exit":
                    leg["exit"] = record.exit.exit_code
        legs.append(leg)
    return legs


def metrics(folder):
    with folder.metrics.open(newline="") as file:
        return sorted((int(row["step"]), row["name"], float(row["value"])) for row in csv.DictReader(file))


def points(legs):
    return sorted(
        (row[tracker.STEP], name, value)
        for leg in legs
        for row in leg["rows"]
        for name, value in row.items()
        if name.count("/") == 2
    )


def test_its_files_have_settings_metrics_and_summary(run, capsys):
    folder, _ = run("task_itm", "scenes", "tiny", **SETTINGS)
    (leg,) = read(folder)
    assert points([leg]) == metrics(folder), "test metrics too, which are of an earlier step than the last"
    rates = {row[tracker.STEP]: row["pace/learning_rate"] for row in leg["rows"] if "pace/learning_rate" in row}
    assert rates == {pace.step: pace.learning_rate for pace in read_pace(folder.pace)}
    config = json.loads(folder.config.read_text())
    assert {name: leg["config"][name] for name in config} == config
    assert (leg["project"], leg["name"], leg["exit"]) == ("tests", f"{folder.path.parent.name}/1", 0)
    summary = json.loads(folder.summary.read_text())
    assert leg["summary"]["status"] == "finished"
    assert leg["summary"]["best"] == summary["best"]
    rows = [row["_step"] for row in leg["rows"]]
    assert rows == sorted(set(rows)), "W&B drops a row that is not behind the others"
    captured = capsys.readouterr()
    assert captured.err.count("wandb: wandb_offline=True; kept offline, `wandb sync ") == 1
    plain, _ = run("task_itm", "scenes", "tiny", **{**SETTINGS, "wandb_project": None})
    assert plain.metrics.read_text() == folder.metrics.read_text(), "a run is the same with it"
    assert not (plain.path / "wandb").exists()


def test_a_resumed_run_goes_on_in_its_own(run):
    with pytest.raises(Interrupted):
        run("task_itm", "scenes", "tiny", **SETTINGS, exp_name="a", log_scalar=stop_at(3, "itm/train/loss"))
    folder, _ = run("task_itm", "scenes", "tiny", **SETTINGS, exp_name="a", resume_from="auto", learning_rate=1e-4)
    first, second = read(folder)
    assert first["id"] == second["id"]
    assert (first["exit"], second["exit"]) == (1, 0)
    assert points([first, second]) == metrics(folder)
    assert second["config"]["learning_rate"] == 1e-4
    assert first["rows"][-1]["_step"] < second["rows"][0]["_step"]


def test_without_a_key_a_run_is_kept_offline_with_a_word(tmp_path, capsys):
    one = tracker.WeightsAndBiases()
    one.start(run_start(tmp_path, {"wandb_project": "tests"}))
    one.log(1, 0.5, {"itm/train/loss": math.nan})
    one.finish({"status": "finished"})
    assert "wandb: no API key (`wandb login` takes one); kept offline" in capsys.readouterr().err
    (leg,) = read(run_start(tmp_path).folder)
    assert math.isnan(float(leg["rows"][0]["itm/train/loss"]))


def test_a_service_that_does_not_answer_holds_nothing_up(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(tracker, "_answers", lambda host, port: False)
    one = tracker.WeightsAndBiases()
    one.start(run_start(tmp_path, {"wandb_project": "tests"}))
    one.finish({"status": "interrupted"})
    assert " does not answer; kept offline" in capsys.readouterr().err
    assert read(run_start(tmp_path).folder)[0]["exit"] == 1


def test_nobody_answers_where_nobody_listens():
    assert not tracker._answers("127.0.0.1", 1)
    assert not tracker._answers("no-such-host.invalid", 443)


def test_it_is_wanted_by_its_project_alone(make_settings, monkeypatch):
    assert not tracker.WeightsAndBiases.wanted(make_settings())
    assert tracker.WeightsAndBiases.wanted(make_settings(wandb_project="a"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert not tracker.WeightsAndBiases.wanted(make_settings(wandb_project="a"))


def test_without_the_package_the_run_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="wandb_project needs the package of Weights & Biases: pip install wandb"):
        tracker.WeightsAndBiases().start(run_start(tmp_path, {"wandb_project": "tests"}))
