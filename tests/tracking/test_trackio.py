"""The tracker of trackio: its own package reads back what was recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("trackio", reason="trackio is not installed")

REPOSITORY = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from pathlib import Path
from tests.tracking.started import run_start
from renaissance.tracking.trackers.trackio import Trackio

folder, sheet = Path(sys.argv[1]), Path(sys.argv[2])
for resumed, steps in ((None, (1, 2, 3)), (2, (3, 4))):
    tracker = Trackio()
    tracker.start(run_start(folder, {"trackio_project": "captions"}, resumed_step=resumed))
    for step in steps:
        tracker.log(step, step / 10, {"itm/train/loss": (1.0 if resumed is None else 9.0) / step})
    tracker.picture("samples/val", sheet, steps[-1])
    tracker.picture("curves/itm_loss", sheet, steps[-1])
    tracker.log(steps[-1], 0.4, {"itm/val/loss": float("nan")})
    tracker.finish({"status": "finished"})

import json, trackio
from trackio.sqlite_storage import SQLiteStorage
[run] = trackio.Api().runs("captions")
print(json.dumps({"name": run.name, "log": SQLiteStorage.get_logs("captions", run.name), "seed": run.config["seed"]}))
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """What trackio has of a run that was interrupted and resumed."""
    folder = tmp_path_factory.mktemp("run")
    sheet = folder / "sheet.png"
    Image.new("RGB", (8, 8)).save(sheet)
    environment = {**os.environ, "TRACKIO_DIR": str(folder / "kept"), "TRACKIO_SPACE_ID": "nobody/nowhere",
                   "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder / "mlm" / "7"), str(sheet)], cwd=REPOSITORY,
                          capture_output=True, text=True, env=environment, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    [only_line] = done.stdout.splitlines()  # trackio itself prints nothing
    return json.loads(only_line)


def test_metrics_are_read_back_each_step_once(recorded):
    losses = [(row["step"], row["itm/train/loss"]) for row in recorded["log"] if "itm/train/loss" in row]
    assert losses == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3)), (4, 9 / 4)]
    assert recorded["name"] == "mlm/7"
    assert recorded["seed"] == 0


def test_sheets_are_kept_and_curves_are_not(recorded):
    assert [row["step"] for row in recorded["log"] if "samples/val" in row] == [3, 4]
    assert not any("curves/itm_loss" in row for row in recorded["log"])
