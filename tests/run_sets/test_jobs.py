"""Runs as jobs, with submitit's local executor and with commands that stand for SLURM's."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import time
from pathlib import Path

import pytest

from renaissance.errors import UserError
from renaissance.run_sets.launchers import jobs
from renaissance.run_sets.launchers.jobs import job_parameters
from renaissance.run_sets.seeds import run_seeds
from renaissance.run_sets.submitting import submit_run
from tests.run_sets import fake_slurm
from tests.run_sets.fake_run import STEPS
from tests.run_sets.test_killed_sets import end_of, lines, wait_for_steps

pytest.importorskip("submitit", reason="an extra of the installation")
LOCAL = {"submit": "local", "slurm_minutes": 1.0, "slurm_signal_seconds": 1}
SLURM = {"submit": "slurm", "slurm_minutes": 60}


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what stands for SLURM; a job's time is up soon after its run has begun."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    fake_slurm.install(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for name, value in {"FAKE_SLURM": str(folder), "FAKE_SLURM_SIGNAL": "0.5", "FAKE_SLURM_LIMIT": "60"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jobs, "GRACE_SECONDS", 1.0)
    return folder


def wait_until_finished(path: Path) -> None:
    until = time.monotonic() + 60
    while not (path / "summary.json").is_file():
        assert time.monotonic() < until, [file.read_text() for file in (path / "jobs").glob("*.err")]
        time.sleep(0.05)


def test_a_job_is_queued_again_at_its_time_limit_and_goes_on_exactly(sets, slurm, whole, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.5")
    sets.seeds(0, 1, runs_at_once=2, **SLURM)
    assert sets.metrics() == {name: whole[name] for name in ("0 None", "1 None")}
    processes = {(process, run) for _, process, run, _ in lines(tmp_path / "steps")}
    assert len(processes) >= 4, "each run came to its time limit once at least"
    assert len(lines(tmp_path / "steps")) == 2 * STEPS, "no step was taken twice: the state was saved"
    assert sorted(path.name for path in (sets.log_dir / "itm").iterdir()) == ["1", "2"]


def test_jobs_go_on_without_us_and_are_followed_again(sets, slurm, whole, tmp_path, forked, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_SLURM_SIGNAL", "20")
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    parent = forked(lambda: sets.seeds(0, 1, runs_at_once=2, **SLURM))
    wait_for_steps(tmp_path / "steps", 2)
    os.kill(parent, signal.SIGINT)
    assert end_of(parent) == 130
    record = sets.record("seeds")
    assert [run["state"] for run in record["runs"]] == ["running", "running"]
    assert [run["job"] for run in record["runs"]] == ["100", "101"]
    sets.seeds(0, 1, runs_at_once=2, **SLURM, resume_from="auto")
    assert sets.metrics() == {name: whole[name] for name in ("0 None", "1 None")}
    assert len({process for _, process, _, _ in lines(tmp_path / "steps")}) == 2, "none was started twice"


def test_a_job_that_is_gone_is_a_failure(sets, slurm, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("FAKE_SLURM_SIGNAL", "30")
    monkeypatch.setenv("FAKE_SLURM_LIMIT", "0.1")  # killed while it starts
    with pytest.raises(Exception, match="1 of 1 runs failed"):
        sets.seeds(0, **SLURM)


def test_a_run_is_submitted_and_left_to_itself(sets, slurm, whole, capsys) -> None:
    settings = sets.settings("train", seed=1, **SLURM)
    submit_run(settings, sets.command_line(seed=1, **SLURM))
    output = capsys.readouterr().out.splitlines()
    assert output[0].startswith("submitted: job 100")
    folder = Path(output[-1].removeprefix("run: "))
    wait_until_finished(folder)
    assert sets.metrics()["1 None"] == whole["1 None"]


def test_without_slurm_the_same_is_tried_here(sets, whole, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    sets.seeds(0, 1, runs_at_once=2, **LOCAL)
    assert sets.metrics() == {name: whole[name] for name in ("0 None", "1 None")}


@pytest.mark.slow
def test_a_local_job_comes_to_its_time_limit_too(sets, whole, tmp_path, monkeypatch) -> None:
    """After 15 seconds, of which it sleeps most."""
    monkeypatch.setenv("FAKE_PAUSE", "4")
    sets.seeds(1, **{**LOCAL, "slurm_minutes": 0.5, "slurm_signal_seconds": 15})
    assert sets.metrics() == {"1 None": whole["1 None"]}
    assert len({process for _, process, _, _ in lines(tmp_path / "steps")}) > 1


def test_what_a_job_asks_for(sets, slurm, tmp_path) -> None:
    given = {**SLURM, "slurm_partition": "vision", "slurm_gpus": 2, "num_gpus": 2, "num_nodes": 2,
             "slurm_memory_gb": 64.0, "slurm_signal_seconds": 120, "slurm_setup": ["module load cuda"],
             "num_workers": 3, "slurm_parameters": {"account": "lab", "exclusive": True}}  # fmt: skip
    settings = sets.settings("train", **given)
    assert job_parameters(settings)["cpus_per_task"] == 4
    submit_run(settings, sets.command_line(**given))
    script = (slurm / "100.job").read_text()
    asked = dict(re.findall(r"#SBATCH --([\w-]+)(?:=(.*))?", script))
    asked = {name: "".join(shlex.split(value)) for name, value in asked.items()}
    expected = {"partition": "vision", "gpus-per-node": "2", "ntasks-per-node": "2", "nodes": "2", "mem": "65536M",
                "time": "60", "signal": "USR2@120", "cpus-per-task": "4", "account": "lab", "exclusive": "",
                "job-name": "itm"}  # fmt: skip
    assert {name: asked.get(name) for name in expected} == expected
    assert "module load cuda\n" in script


def test_where_there_is_no_slurm_that_is_said_before_there_is_a_run(sets, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for start in (submit_run, run_seeds):
        given = {"submit": "slurm", **({"seeds": [0]} if start is run_seeds else {})}
        with pytest.raises(UserError, match="submit=local tries the same here"):
            start(sets.settings("train", **given), sets.command_line(**given))
    assert not (sets.log_dir / "itm").exists()


def test_a_submitted_run_goes_on_where_another_start_left_it(sets, slurm, whole, forked, tmp_path, monkeypatch) -> None:
    """A run that was begun here, stopped, and is handed to SLURM."""
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    parent = forked(lambda: sets.seeds(1))
    wait_for_steps(tmp_path / "steps", 3)
    os.kill(parent, signal.SIGTERM)
    end_of(parent)
    monkeypatch.setenv("FAKE_PAUSE", "0")
    given = {**SLURM, "resume_from": "auto", "seed": 1}
    submit_run(sets.settings("train", **given), sets.command_line(**given))
    wait_until_finished(sets.log_dir / "itm" / "1")
    words = json.loads((sets.log_dir / "itm" / "1" / "config.json").read_text())["words"]
    assert words == {"seed": "1", "resume_from": "auto"}
    assert sets.metrics()["1 None"] == whole["1 None"]
