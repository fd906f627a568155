"""kill -9 at every moment that matters and at 30 random ones: the resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from renaissance.tracking.run_folder import RunFolder
from tests.training.conftest import Runner

NAMED = ("task_mlm_itm", "scenes", "tiny")
SETTINGS: dict[str, Any] = {
    "max_steps": 6,
    "val_check_interval": 2,
    "warmup_steps": 0,
    "learning_rate": 1e-2,
    "num_scenes": 60,
    "log_interval": 2,
    "cross_layer_drop_rate": 0.1,
}
RANDOM_MOMENTS = 30
WRITTEN = ("last.ckpt", "best.ckpt", "metrics.csv", "summary.json")  # what a run is resumed and judged by


def in_a_child(work: Callable[[], object]) -> int:
    """Start `work` in a process forked off this one, which has imported everything; gives the process's number."""
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def end_of(child: int) -> int:
    """Wait for a process; gives its exit status, or the signal that ended it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def replacing(before: Callable[[str], object], after: Callable[[str], object]) -> None:
    """Have this process call two functions, with the file's name, around every rename that a run is resumed by."""
    replace = os.replace

    def replaced(source: Any, target: Any) -> None:
        name = Path(target).name
        if name in WRITTEN:
            before(name)
        replace(source, target)
        if name in WRITTEN:
            after(name)

    os.replace = replaced  # type: ignore[assignment]


def kill_at(moment: int) -> Callable[[str], None]:
    """Kills this process at the call of that number."""
    left = iter(range(moment, -1, -1))

    def count(name: str) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def everything(folder: RunFolder) -> tuple[Any, ...]:
    """What two equal runs have in common."""
    summary = json.loads(folder.summary.read_text())
    checkpoints = [torch.load(path, weights_only=True) for path in (folder.best_checkpoint, folder.last_checkpoint)]
    weights = [{name: tensor.numpy().tobytes() for name, tensor in c["state_dict"].items()} for c in checkpoints]
    steps = [(c["global_step"], c["validated_step"], c["best"]) for c in checkpoints]
    leftovers = sorted(path.name for path in folder.path.rglob(".*"))
    return folder.metrics.read_text(), summary["final"], summary["best_step"], steps, weights, leftovers


@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(scenes_root, tmp_path, capsys):
    def runner(name: str) -> Callable[..., Any]:
        return lambda **more: Runner(scenes_root, tmp_path / name)(*NAMED, **SETTINGS, exp_name="run", **more)

    folder = lambda name: Runner(scenes_root, tmp_path / name).folder("run")  # noqa: E731
    runner("warm")()
    started = time.monotonic()
    assert end_of(in_a_child(runner("whole"))) == 0
    duration = time.monotonic() - started
    whole = everything(folder("whole"))
    log = tmp_path / "renames"

    def counted() -> None:
        replacing(lambda name: None, lambda name: log.open("a").write(name + "\n"))
        runner("counted")()

    assert end_of(in_a_child(counted)) == 0
    renames = log.read_text().split()
    assert renames.count("last.ckpt") == 3
    moments = [(f"{when} {name} ({number})", when, number)
               for number, name in enumerate(renames) for when in ("before", "after")]  # fmt: skip
    moments += [(f"random {number}", "random", number) for number in range(RANDOM_MOMENTS)]
    draw, unequal, killed = random.Random(0), [], 0
    for label, when, number in moments:

        def work(when: str = when, number: int = number, label: str = label) -> None:
            nothing = lambda name: None  # noqa: E731
            if when != "random":
                replacing(*(kill_at(number) if when == side else nothing for side in ("before", "after")))
            runner(label)()

        child = in_a_child(work)
        if when == "random":
            time.sleep(draw.uniform(0, duration))
            os.kill(child, signal.SIGKILL)
        killed += end_of(child) == -signal.SIGKILL
        assert end_of(in_a_child(lambda label=label: runner(label)(resume_from="auto"))) == 0, label
        if everything(folder(label)) != whole:
            unequal.append(label)
    with capsys.disabled():
        print(f"\n{killed} kills, {len(moments) - len(unequal)} of {len(moments)} resumed runs equal in everything")
    assert not unequal
