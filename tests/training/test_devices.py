"""Two devices make one run: one folder, one observed experiment, every test example counted once."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from renaissance.tracking.run_folder import RunFolder
from tests.command_line import ROOT, execute, final_metrics
from tests.test_documentation import BY_TORCHRUN
from tests.training.sweeping import alive_in_session


def metrics_of(tmp: Path, *words: str) -> dict[str, float]:
    """Run a command line; gives the run's final metrics."""
    settings = [f"data_root={tmp}/arrow", f"log_dir={tmp}/result", "num_gpus=0", "num_workers=0", "num_scenes=60"]
    return final_metrics(execute(*words, *settings))


@pytest.mark.slow
def test_two_devices_make_one_run(tmp_path):
    observer = tmp_path / "sacred"
    trained = ["with", "task_mlm_itm", "scenes", "tiny", "max_steps=4", "warmup_steps=0", "log_interval=2"]
    metrics_of(tmp_path, "-F", str(observer), *trained, "batch_size=32", "per_gpu_batchsize=8", "devices=2")
    (folder,) = (tmp_path / "result" / "mlm_itm").iterdir()
    assert sorted(path.name for path in observer.iterdir() if path.name.isdecimal()) == ["1"]
    rows = list(csv.DictReader((folder / "metrics.csv").open(newline="")))
    assert [row["step"] for row in rows if row["name"] == "mlm/train/loss"] == ["2", "4"]

    # The same checkpoint tested on one device and on two: a mean over examples, each counted once.
    tested = ["with", "task_mlm", "scenes", "test_only=True", f"load_path={folder}/checkpoints/best.ckpt"]
    alone = metrics_of(tmp_path, *tested)
    together = metrics_of(tmp_path, *tested, "devices=2")
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_two_devices_share_the_images_to_be_captioned(tmp_path):
    settings = ["scenes", "warmup_steps=0", "caption_metric_images=7", "sample_interval=1", "num_samples=2"]
    trained = ["with", "task_foundation_captioning", *settings, "max_steps=2"]
    metrics_of(tmp_path, *trained, "batch_size=16", "per_gpu_batchsize=8", "devices=2")
    (folder,) = (tmp_path / "result" / "foundation_captioning").iterdir()
    assert {path.stem for path in (folder / "samples").iterdir()} == {"step_1", "step_2", "test"}
    tested = ["with", "task_foundation_captioning", "scenes", "test_only=True",
              f"load_path={folder}/checkpoints/best.ckpt"]  # fmt: skip
    alone = metrics_of(tmp_path, *tested)
    together = metrics_of(tmp_path, *tested, "devices=2")
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_two_devices_resume_a_run_with_one_history(tmp_path):
    settings = [f"data_root={tmp_path}/arrow", f"log_dir={tmp_path}/result"]
    trained = ["with", "task_itm", "scenes", "tiny", "max_steps=4", "val_check_interval=2", "warmup_steps=0"]
    metrics_of(tmp_path, *trained, "batch_size=32", "per_gpu_batchsize=8", "devices=2")
    folder = RunFolder(tmp_path / "result" / "itm" / "1")
    folder.summary.unlink()  # as if it had been killed
    said = execute("with", "task_itm", *settings, "resume_from=auto", "max_steps=6")
    once = ("resume_from=auto: going on with", "changed on resume: max_steps 4 → 6", "learning rate from step 4 on")
    assert [said.count(line) for line in once] == [1, 1, 1]
    (resume,) = json.loads(folder.command.read_text())["resumes"]
    assert (resume["step"], resume["changed"]) == (4, {"max_steps": [4, 6]})
    assert json.loads(folder.summary.read_text())["steps"] == 6


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_signal_to_one_of_two_devices_stops_both_and_saves(tmp_path):
    settings = ["max_steps=1000", "val_check_interval=2", "warmup_steps=0", "batch_size=32", "per_gpu_batchsize=8",
                "num_gpus=0", "devices=2", "num_workers=1", f"data_root={tmp_path}/arrow",
                f"log_dir={tmp_path}/result"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "run.py", "with", "task_itm", "scenes", "tiny", "num_scenes=60", *settings],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    while not process.stdout.readline().startswith("step 2/"):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)  # to the end of what both write
    assert process.returncode == 128 + signal.SIGTERM, output
    folder = tmp_path / "result" / "itm" / "1"
    assert json.loads((folder / "summary.json").read_text())["status"] == "interrupted"
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    deadline = time.monotonic() + 10
    while alive_in_session(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_torchrun_makes_one_run_of_its_processes(tmp_path):
    """Started by two processes at once, a run has one folder, one observed experiment and one output."""
    (documented,) = BY_TORCHRUN
    torchrun = Path(sys.executable).with_name("torchrun")
    words = documented.replace("run.py", f"run.py -F {tmp_path}/sacred").split()[1:]
    short = ["max_steps=2", "warmup_steps=0", "num_workers=0", "num_scenes=60", "log_interval=1",
             f"data_root={tmp_path}/arrow", f"log_dir={tmp_path}/result"]  # fmt: skip
    done = subprocess.run(
        [str(torchrun), "--standalone", *words, *short], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [done.stdout.count(line) for line in ("best checkpoint by", "step 2/2", "run: ")] == [1, 2 + 1, 1]
    assert [path.name for path in (tmp_path / "result" / "mlm_itm").iterdir()] == ["1"]
    assert [path.name for path in (tmp_path / "sacred").iterdir() if path.name.isdecimal()] == ["1"]
    captured = (tmp_path / "sacred" / "1" / "cout.txt").read_text()
    assert captured.count("best checkpoint by") == 1
    assert json.loads((tmp_path / "result" / "mlm_itm" / "1" / "summary.json").read_text())["steps"] == 2


def test_a_fault_that_all_processes_find_is_told_once(tmp_path):
    words = ["with", "task_mlm", "scenes", "tiny", "num_scenes=60", "num_gpus=0", "devices=2", "num_workers=0",
             "monitor=mlm/val/nothing", f"data_root={tmp_path}/arrow", f"log_dir={tmp_path}/result"]  # fmt: skip
    done = subprocess.run([sys.executable, "run.py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("mlm/val/nothing") == 1, done.stderr
