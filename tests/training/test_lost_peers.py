"""A process of a run that is gone, by a kill or behind a cut cable: the others say which, soon, with all kept whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from renaissance.checkpoints.checkpoint import read_checkpoint
from tests.command_line import ROOT
from tests.training.sweeping import alive_in_session
from tests.training.test_many_devices import free_ports
from tests.training.two_hosts import two_hosts

SETTINGS = ["task_itm", "scenes", "tiny", "num_scenes=60", "max_steps=100000", "val_check_interval=2", "num_gpus=0",
            "warmup_steps=0", "batch_size=8", "per_gpu_batchsize=4", "num_workers=0", "log_interval=1"]  # fmt: skip
STARTING_SECONDS = 180.0
LEAVING_SECONDS = 10.0  # of peers.py, which the work has to find that it cannot go on
SPARE_SECONDS = 10.0  # on a machine that does other things too


def start(words: Sequence[str], environment: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    """Start a process of a run; what it says goes into a file."""
    with said.open("wb") as file:
        return subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def wait_for(path: Path, processes: Sequence[subprocess.Popen[bytes]], said: Sequence[Path]) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while not path.is_file():
        ended = [process.poll() for process in processes]
        assert set(ended) == {None}, "\n".join(one.read_text() for one in said)
        assert time.monotonic() < deadline
        time.sleep(0.1)


def check_message(said: Path, rank: int, folder: Path) -> None:
    """The process has told which other one is gone, and what is kept, and nothing else of it."""
    text = said.read_text()
    assert "Traceback" not in text, text
    lines = [line for line in text.splitlines() if line.startswith(f"rank {rank} (on ")]
    assert len(lines) == 1, text
    assert f"{folder}/checkpoints/last.ckpt is as it was before; resume_from=auto goes on from there." in text


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_is_named_by_the_other(tmp_path: Path, killed: int) -> None:
    folder, said = tmp_path / "result" / "itm" / "1", tmp_path / "said.txt"
    words = [sys.executable, "run.py", "with", *SETTINGS, "devices=2", "peer_timeout=30",
             f"data_root={tmp_path}/arrow", f"log_dir={tmp_path}/result"]  # fmt: skip
    process = start(words, {**os.environ, "OMP_NUM_THREADS": "1"}, said)
    wait_for(folder / "checkpoints" / "last.ckpt", [process], [said])
    (child,) = (int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    os.kill((process.pid, child)[killed], signal.SIGKILL)
    began = time.monotonic()
    while alive_in_session(process.pid):
        process.poll()
        assert time.monotonic() - began < 5 + LEAVING_SECONDS + SPARE_SECONDS, said.read_text()
        time.sleep(0.1)
    print(f"killed rank {killed}: the other has ended after {time.monotonic() - began:.1f} s")
    assert process.wait() == (-signal.SIGKILL if killed == 0 else 1)
    check_message(said, killed, folder)
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt").global_step > 0


@pytest.mark.slow
def test_a_cut_cable_ends_both_hosts_with_the_name_of_the_other(tmp_path: Path) -> None:
    timeout, (port,) = 10, free_ports(1)
    folder = tmp_path / "result" / "itm" / "1"
    words = [sys.executable, "run.py", "with", *SETTINGS, "num_nodes=2", f"peer_timeout={timeout}",
             f"data_root={tmp_path}/arrow", f"log_dir={tmp_path}/result"]  # fmt: skip
    said = [tmp_path / f"host_{host}.txt" for host in range(2)]
    with two_hosts() as hosts:
        processes = [start(hosts.command(host, *words), hosts.environment(host, port), said[host]) for host in range(2)]
        try:
            wait_for(folder / "checkpoints" / "last.ckpt", processes, said)
            hosts.cut()
            began = time.monotonic()
            statuses = [process.wait(timeout + LEAVING_SECONDS + SPARE_SECONDS) for process in processes]
            print(f"both hosts have ended {time.monotonic() - began:.1f} s after the cable was cut")
        finally:
            for process in processes:
                process.kill()
                process.wait()
    assert statuses == [1, 1], "\n".join(one.read_text() for one in said)
    check_message(said[0], 1, folder)
    check_message(said[1], 0, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert "step 2/" in said[0].read_text()
    assert "step" not in said[1].read_text()
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt").global_step > 0
