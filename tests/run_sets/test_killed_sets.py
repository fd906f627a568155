"""Sets that are killed or stopped, and gone on with: what has finished stays, nothing is trained twice or by two."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from renaissance.errors import UserError
from tests.run_sets.fake_run import STEPS
from tests.run_sets.test_seeds import steps_of

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a parent's death is noticed on Linux alone")
Fork = Callable[[Callable[[], object]], int]
PAUSE = 0.03


def lines(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()] if log.is_file() else []


def wait_for_steps(log: Path, count: int) -> None:
    until = time.monotonic() + 30
    while len(lines(log)) < count:
        assert time.monotonic() < until
        time.sleep(0.005)


def end_of(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.fixture(autouse=True)
def slow_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", str(PAUSE))


def no_step_by_two_at_once(log: Path) -> None:
    """Of each run, the steps of one process come after those of the one before."""
    for times in steps_of(log).values():
        processes = [process for _, process in times]
        assert len(dict.fromkeys(processes)) == sum(a != b for a, b in itertools.pairwise(processes)) + 1


@linux
@pytest.mark.parametrize("at", [1, 8, 14], ids=lambda at: f"after {at} of 18 steps")
def test_a_set_whose_parent_is_killed_goes_on_as_if_nothing_had_been(sets, forked, whole, tmp_path, at) -> None:
    log = tmp_path / "steps"
    parent = forked(lambda: sets.seeds(0, 1, 2, runs_at_once=2))
    wait_for_steps(log, at)
    os.kill(parent, signal.SIGKILL)
    assert end_of(parent) == -signal.SIGKILL
    finished = {run["folder"] for run in sets.record("seeds")["runs"] if run["state"] == "finished"}
    before = {run for run in steps_of(log) if f"{sets.log_dir}/itm/{run}" in finished}
    seen = {run: len(times) for run, times in steps_of(log).items()}
    sets.seeds(0, 1, 2, runs_at_once=2, resume_from="auto")
    assert sets.metrics() == whole
    assert sets.newest("seeds").name == "1"
    assert len(list((sets.log_dir / "itm").iterdir())) == 3, "each goes on in its own folder"
    after = {run: len(times) for run, times in steps_of(log).items()}
    assert all(after[run] == seen[run] == STEPS for run in before), "what has finished is kept"
    no_step_by_two_at_once(log)


@linux
def test_a_run_outlives_its_parent_no_longer_than_it_takes_to_save(sets, forked, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    parent = forked(lambda: sets.seeds(0))
    wait_for_steps(tmp_path / "steps", 1)
    os.kill(parent, signal.SIGKILL)
    end_of(parent)
    run = int(lines(tmp_path / "steps")[0][1])
    until = time.monotonic() + 5
    while Path(f"/proc/{run}").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not Path(f"/proc/{run}").exists()
    assert (sets.log_dir / "itm" / "1" / "checkpoints" / "last.ckpt").is_file()
    assert "state saved" in (sets.newest("seeds") / "output" / "seed_0.txt").read_text()


def test_a_run_that_is_killed_is_a_failure_and_is_resumed(sets, whole, tmp_path, forked) -> None:
    parent = forked(lambda: sets.seeds(0, 1, 2))
    wait_for_steps(tmp_path / "steps", 9)
    os.kill(int(lines(tmp_path / "steps")[8][1]), signal.SIGKILL)
    assert end_of(parent) == 1
    assert sets.states("seeds") == ["finished", "failed", "finished"]
    assert sets.record("seeds")["status"] == "failed"
    sets.seeds(0, 1, 2, resume_from="auto")
    assert sets.metrics() == whole
    assert len(lines(tmp_path / "steps")) < 18 + STEPS, "it went on from its checkpoint"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_a_signal_has_every_run_save_its_state(sets, whole, tmp_path, forked, sent, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    parent = forked(lambda: sets.seeds(0, 1, 2, runs_at_once=2))
    wait_for_steps(tmp_path / "steps", 1)
    os.kill(parent, sent)
    assert end_of(parent) == 130  # of `forked`, for any interruption; run.py tells the two apart
    record = sets.record("seeds")
    assert record["status"] == "stopped"
    assert [run["state"] for run in record["runs"]] == ["stopped", "stopped", "waiting"]
    outputs = [(sets.newest("seeds") / "output" / f"seed_{seed}.txt").read_text() for seed in (0, 1)]
    assert all("state saved" in output for output in outputs)
    monkeypatch.setenv("FAKE_PAUSE", "0")
    sets.seeds(0, 1, 2, resume_from="auto")
    assert sets.metrics() == whole


def test_a_set_at_work_is_no_one_else_s(sets, tmp_path, forked, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    parent = forked(lambda: sets.seeds(0))
    wait_for_steps(tmp_path / "steps", 1)
    with pytest.raises(UserError, match="another process is at work on this set"):
        sets.seeds(0, resume_from="auto")
    os.kill(parent, signal.SIGTERM)
    end_of(parent)


def test_a_run_killed_before_its_first_checkpoint_begins_anew_in_its_folder(sets, whole, tmp_path, forked) -> None:
    parent = forked(lambda: sets.seeds(0, 1, 2))
    wait_for_steps(tmp_path / "steps", 1)
    run = int(lines(tmp_path / "steps")[0][1])
    os.kill(parent, signal.SIGKILL)
    os.kill(run, signal.SIGKILL)
    end_of(parent)
    left = sets.log_dir / "itm" / "1" / "left_over"
    left.write_text("")
    sets.seeds(0, 1, 2, resume_from="auto")
    assert sets.metrics() == whole
    assert not left.exists()
