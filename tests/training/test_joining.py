"""A run of several processes that is stopped while they start: none of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from pytorch_lightning.plugins.environments import LightningEnvironment

from renaissance.processes import children_unsignalled
from renaissance.stop_signals import STOP
from renaissance.training import joining
from renaissance.training.devices import Devices

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others do not come, and a process that leaves says so."""
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(joining, "_process_group", lambda *_: time.sleep(1))
    monkeypatch.setattr(joining, "leave", sys.exit)


@pytest.mark.usefixtures("waiting")
def test_a_signal_during_the_start_ends_the_processes_that_were_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with children_unsignalled():
        child = subprocess.Popen(SLEEPER)
    monkeypatch.setattr(STOP, "received", signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as left:
            joining._join(LightningEnvironment(), Devices("cpu", 2, 1), [child])
        assert left.value.code == 128 + signal.SIGTERM
        assert child.wait(5) == -signal.SIGKILL
    finally:
        child.kill()


@pytest.mark.usefixtures("waiting")
def test_a_process_whose_starter_is_gone_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(joining.STARTED_BY, str(os.getpid()))  # it is not our parent
    with pytest.raises(SystemExit) as left:
        joining._join(LightningEnvironment(), Devices("cpu", 2, 1), [])
    assert left.value.code == 128 + signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_a_killed_starter_takes_the_processes_with_it_that_have_not_joined() -> None:
    reading, writing = os.pipe()
    starter = os.fork()
    if starter == 0:
        with children_unsignalled():
            started = joining._start(SLEEPER, LOCAL_RANK="1")
        os.write(writing, str(started.pid).encode())
        time.sleep(60)
        os._exit(0)
    child = int(os.read(reading, 20))
    try:
        time.sleep(0.5)
        os.kill(child, signal.SIGTERM)  # blocked, as when a whole group gets it
        time.sleep(0.2)
        assert _runs(child)
        os.kill(starter, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while _runs(child):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for process in (starter, child):
            if process == starter or _runs(process):
                os.kill(process, signal.SIGKILL)
        os.waitpid(starter, 0)
        os.close(reading)
        os.close(writing)


def _runs(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
