"""`python run.py with … seeds=…` with real runs: killed, gone on with, and the same as runs that are started alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import ROOT
from tests.training.conftest import Runner, scenes_root

__all__ = ["scenes_root"]

SETTINGS: dict[str, Any] = {"max_steps": 4, "val_check_interval": 2, "log_interval": 1, "warmup_steps": 0}
NAMED = ("task_itm", "scenes", "tiny")


def children_of(process: int) -> list[int]:
    """Its children, by /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the runs' processes by /proc")
def test_a_set_killed_whole_and_gone_on_with_has_the_metrics_of_runs_alone(scenes_root: Path, tmp_path: Path) -> None:
    alone = Runner(scenes_root, tmp_path / "alone")
    expected = [alone(*NAMED, **SETTINGS, seed=seed)[0].metrics.read_bytes() for seed in (0, 1)]
    log_dir = tmp_path / "result"
    own = {**SETTINGS, "data_root": scenes_root, "log_dir": log_dir, "num_scenes": 120, "num_workers": 0, "num_gpus": 0}
    words = [f"{name}={value}" for name, value in own.items()]
    command = [sys.executable, "run.py", "-F", str(tmp_path / "observed"), "with", *NAMED, *words, "seeds=[0,1]",
               "runs_at_once=2"]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list(log_dir.glob("itm/*/checkpoints/last.ckpt")):
        assert time.monotonic() < until
        time.sleep(0.05)
    for one in (process.pid, *children_of(process.pid)):
        os.kill(one, signal.SIGKILL)
    process.wait()
    done = subprocess.run([*command, "resume_from=auto"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going on with" in done.stdout
    found = {json.loads((path.parent / "config.json").read_text())["seed"]: path.read_bytes()
             for path in log_dir.glob("itm/*/metrics.csv")}  # fmt: skip
    assert [found[0], found[1]] == expected
    assert len(found) == len(list((log_dir / "itm").iterdir())) == 2
    observed = [json.loads(path.read_text()) for path in (tmp_path / "observed").glob("*/config.json")]
    assert {record["seed"] for record in observed} == {0, 1}
    assert [record for record in observed if record["seeds"] is not None] == [], "the set itself is no run"
