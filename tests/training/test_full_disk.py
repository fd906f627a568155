"""A full disk: one message that names the file and the room, and a run that goes on exactly when there is some."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys

import pytest
import torch

from renaissance.atomic_files import whole_file, write_json
from renaissance.checkpoints.files import write_checkpoint
from renaissance.errors import DiskFull, RunError
from renaissance.tracking.metrics import read_rows
from tests.command_line import ROOT
from tests.tracking.started import metrics_file

SETTINGS = {"max_steps": 4, "val_check_interval": 2, "warmup_steps": 0, "learning_rate": 1e-3, "num_scenes": 60,
            "log_interval": 2}  # fmt: skip
NAMED = ("task_mlm", "scenes", "tiny")
MEGABYTE = 1 << 20


@pytest.fixture
def limit_files():
    """Sets the largest size of a file that this process may write; the system then fails as with a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_run_that_finds_no_room_for_a_checkpoint_says_so_and_goes_on_exactly(run, limit_files):
    whole, final = run(*NAMED, **SETTINGS, exp_name="whole")
    size = whole.last_checkpoint.stat().st_size

    def fill(name, value, step):
        if (name, step) == ("mlm/train/loss", 4):
            limit_files(MEGABYTE)

    with pytest.raises(RunError) as stopped:
        run(*NAMED, **SETTINGS, exp_name="full", log_scalar=fill)
    limit_files(resource.RLIM_INFINITY)
    said, folder = str(stopped.value), run.folder("full")
    assert str(folder.last_checkpoint) in said
    assert "resume_from=auto goes on from there" in said
    needed = float(said.split(" MB are needed")[0].rpartition(" ")[2])
    assert 0.9 * size < needed * 1e6 < 1.1 * size
    assert torch.load(folder.last_checkpoint, weights_only=True)["global_step"] == 2
    assert not list(folder.path.rglob(".*")), "nothing half written is left"
    resumed, again = run(*NAMED, **SETTINGS, exp_name="full", resume_from="auto")
    assert again == final
    assert resumed.metrics.read_text() == whole.metrics.read_text()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, as Linux has it")
def test_metrics_that_cannot_be_written_name_their_file(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics = metrics_file(tmp_path)
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match=r"metrics\.csv: cannot be written, for the disk is full: [\d,.]+ MB are free"):
        metrics.log(1, 0.5, {"mlm/train/loss": 1.0})


def test_a_metric_row_that_was_cut_off_is_written_again(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics_file(tmp_path).log(2, 0.5, {"mlm/train/loss": 1.0, "mlm/val/loss": 2.0})
    with path.open("a") as file:
        file.write("4,0.5,mlm/tra")
    resumed = metrics_file(tmp_path, resumed_step=2, validated_step=2)
    resumed.log(4, 1.0, {"mlm/train/loss": 0.5})
    assert [(name, point.step) for name, point in read_rows(path)] == [
        ("mlm/train/loss", 2), ("mlm/val/loss", 2), ("mlm/train/loss", 4),
    ]  # fmt: skip


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_any_file_that_is_written_whole_is_named(tmp_path, number):
    full = pytest.raises(DiskFull, match=r"report: cannot be written, for the (disk is full|quota is used up)")
    with full, whole_file(tmp_path / "report") as temporary:
        temporary.touch()
        raise OSError(number, os.strerror(number))
    assert not os.listdir(tmp_path)


def test_a_checkpoint_that_fails_for_another_reason_is_no_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a"):
        raise FileNotFoundError
    with pytest.raises(Exception, match="pickle"):
        write_checkpoint({"a": lambda: 0}, tmp_path / "a")


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": (-float("inf"),)}})
    assert (tmp_path / "a.json").read_text().split() == (
        '{ "a": null, "b": [ null, 1.5 ], "c": { "d": [ null ] } }'.split()
    )


def test_the_command_line_answers_with_one_message_and_status_1(tmp_path):
    """A real file system that is full, where this process may mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system of 1 MB takes rights that this process lacks")
    try:
        program = (
            "import sys, run; from pathlib import Path; from renaissance.atomic_files import whole_file\n"
            "def main(*_):\n"
            "    with whole_file(Path(sys.argv.pop()), size=2_000_000) as path: path.write_bytes(bytes(2_000_000))\n"
            "run._run = main\n"
            "sys.exit(run.run_command_line(['run.py', 'print_config']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "large")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path / 'large'}: cannot be written, for the disk is full: 2.0 MB are needed")
    assert len(done.stderr.splitlines()) == 1
