"""Locks hold while their process lives and no longer, also on file systems that cannot lock files."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from renaissance import locks
from renaissance.data.preparing.prepare import prepare
from renaissance.locks import AlreadyHeld, held, is_held
from renaissance.tracking.run_folder import at_work_in, is_alive, new_run_folder
from tests.command_line import ROOT

HOLDER = """
import errno, fcntl, os, sys, time
def none(*_):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
if sys.argv[2] == "none":
    fcntl.flock = none
from pathlib import Path
from renaissance.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(params=["flock", errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK], ids=str)
def system(request, monkeypatch):
    """A file system that locks files, or answers with an error."""
    if request.param != "flock":

        def flock(*_):
            raise OSError(request.param, os.strerror(request.param))

        monkeypatch.setattr(fcntl, "flock", flock)
    return request.param


def holder(path, system):
    """Another process that holds `path`."""
    word = "flock" if system == "flock" else "none"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), word], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_another_process_s_until_that_is_killed(tmp_path, system):
    path = tmp_path / ".lock"
    assert not is_held(path)
    process = holder(path, system)
    try:
        assert is_held(path)
        with pytest.raises(AlreadyHeld), held(path):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not is_held(path)
    with held(path):
        assert is_held(path)
    assert not is_held(path)


def test_a_lock_is_waited_for_and_that_is_said(tmp_path, system):
    process, told = holder(tmp_path / ".lock", system), []
    with held(tmp_path / ".lock", lambda: (told.append("waiting"), process.kill(), process.wait())):
        assert told == ["waiting"]


def test_who_asks_is_not_taken_for_the_holder(tmp_path):
    """Two listings that look at once, and a run that begins while one looks."""
    path = tmp_path / ".lock"
    path.touch()
    asking = path.open()
    fcntl.flock(asking, fcntl.LOCK_SH | fcntl.LOCK_NB)  # what `is_held` does for an instant
    assert not is_held(path)
    threading.Timer(0.03, asking.close).start()
    with held(path):
        assert is_held(path)


def test_a_lock_that_may_only_be_read_is_seen_too(tmp_path, monkeypatch):
    path = tmp_path / ".lock"
    opened = []
    monkeypatch.setattr("builtins.open", lambda name, mode="r", own=open: opened.append(mode) or own(name, mode))
    with held(path):
        assert is_held(path)
    assert opened == ["a", "r"]


def test_only_a_system_without_locks_leaves_a_file_and_warns(tmp_path, system, capsys):
    with held(tmp_path / ".lock"):
        there = (tmp_path / ".lock.held").exists()
    assert there == (system != "flock")
    assert ("cannot lock files" in capsys.readouterr().err) == there
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_holder_elsewhere_counts_while_it_touches_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_flock", lambda file, shared=False: None)
    path = tmp_path / ".lock"
    path.touch()
    beside = tmp_path / ".lock.held"
    beside.write_text(json.dumps({"host": "elsewhere", "boot": "b", "pid": 1, "started": "2"}))
    assert is_held(path)
    past = time.time() - locks.STALE_SECONDS - 60
    os.utime(beside, (past, past))
    assert not is_held(path)
    with held(path):
        assert json.loads(beside.read_text())["pid"] == os.getpid()
    assert not beside.exists()


@pytest.mark.parametrize("changed", [{"boot": "another"}, {"started": "1"}, {"pid": 2**22 + 1}], ids=str)
def test_a_process_number_that_has_come_again_holds_nothing(tmp_path, monkeypatch, changed):
    monkeypatch.setattr(locks, "_flock", lambda file, shared=False: None)
    path = tmp_path / ".lock"
    path.touch()
    (tmp_path / ".lock.held").write_text(json.dumps({**locks._myself(), **changed}))
    assert not is_held(path)


def test_a_holder_s_file_is_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_flock", lambda file, shared=False: None)
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.01)
    with held(tmp_path / ".lock"):
        os.utime(tmp_path / ".lock.held", (1, 1))
        deadline = time.monotonic() + 10
        while (tmp_path / ".lock.held").stat().st_mtime < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_run_and_prepare_go_on_without_locks_of_the_system(tmp_path, system, make_settings, capsys):
    folder = new_run_folder(str(tmp_path / "result"), "mlm")
    with at_work_in(folder):
        assert is_alive(folder)
    assert not is_alive(folder)
    assert list(folder.path.iterdir()) == []
    prepare(make_settings(dataset="scenes", data_root=str(tmp_path / "arrow"), num_scenes=24))
    assert "scenes" in capsys.readouterr().out
