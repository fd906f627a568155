"""Ctrl-C and SIGTERM at any moment of a run: 130 or 143, the state saved, and said. Other ends, with workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from renaissance.data.examples.tables import TableExamples
from renaissance.errors import UserError
from renaissance.tracking.run_folder import RunFolder
from tests.training.sweeping import ROOT, ForkServer, equal, fault_of, fork_server, processor_seconds, words_of

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the processor time of a process")
BOTH = pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with fork_server(tmp_path_factory.mktemp("server")) as started:
        yield started


def sweep(server: ForkServer, tmp: Path, sent: int, workers: int, moments: int | None, resumed: int) -> None:
    """Interrupt a run at `moments` moments (or every 50 ms), and go on with every `resumed`th of those to its end.

    A run on a busy machine takes more processor time than another, so the moments go on until a run had finished.
    """
    data, log_dir = tmp / "arrow", tmp / "result"
    server.run(*words_of(log_dir, data, "drawn", workers))
    whole = server.run(*words_of(log_dir, data, "whole", workers))
    assert whole.status == 0, whole.output
    step = 0.05 if moments is None else whole.seconds / moments
    faults, counts = {}, {"interrupted": 0, "finished": 0, "before there was a folder": 0, "resumed": 0}
    number = 0
    while number * step < whole.seconds or (not counts["finished"] and number * step < 2 * whole.seconds):
        name = f"at_{number}"
        folder = RunFolder(log_dir / name / "1")
        ended = server.run(*words_of(log_dir, data, name, workers), sent=sent, moment=number * step)
        fault = fault_of(ended, sent, folder)
        if fault is None and number % resumed == 0 and folder.last_checkpoint.is_file() and not folder.finished:
            again = server.run(*words_of(log_dir, data, name, workers, "resume_from=auto"))
            same = again.status == 0 and equal(folder, RunFolder(log_dir / "whole" / "1"))
            fault = None if same else f"the resumed run differs\n{again.output}"
            counts["resumed"] += 1
        elif folder.path.is_dir():
            counts["finished" if folder.finished else "interrupted"] += 1
        else:
            counts["before there was a folder"] += 1
        if fault is not None:
            faults[f"{number * step:.2f} s"] = f"{fault}\n{ended.output}"
        number += 1
    print(f"{signal.Signals(sent).name}, {workers} workers, every {step:.3f} s: {counts}, wrong: {len(faults)}")
    assert not faults, "\n".join(f"{moment}: {fault}" for moment, fault in faults.items())
    assert all(counts.values()), counts


@linux
@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@BOTH
def test_a_signal_at_any_moment_ends_a_run_well(server, tmp_path, sent, workers):
    sweep(server, tmp_path, sent, workers, moments=16, resumed=4)


@linux
@pytest.mark.long
@pytest.mark.parametrize("workers", [0, 2])
@BOTH
def test_a_signal_every_50_ms_ends_a_run_well(server, tmp_path, sent, workers):
    sweep(server, tmp_path, sent, workers, moments=None, resumed=1)


def start(*words: str) -> subprocess.Popen[str]:
    """`python run.py <words>`, in a session of its own, as a terminal or a scheduler starts it."""
    return subprocess.Popen(
        [sys.executable, "run.py", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@linux
@pytest.mark.slow
@BOTH
def test_a_signal_during_imports_ends_the_process_with_a_line(tmp_path, sent):
    """From 100 ms on, when Python itself has started."""
    for moment in (0.1, 0.2, 0.3, 0.5, 1.0, 2.0):
        process = start(*words_of(tmp_path, tmp_path, "early", 0))
        while (used := processor_seconds(process.pid)) is not None and used < moment:
            time.sleep(0.001)
        os.killpg(process.pid, sent)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 128 + sent, f"{moment} s: {output}"
        assert "Traceback" not in output
        assert "interrupted" in output


@linux
@pytest.mark.slow
def test_an_unreadable_image_under_workers_ends_the_run_and_the_workers(server, tmp_path):
    """In the validation, while the workers of training are there too."""
    words = words_of(tmp_path / "result", tmp_path / "arrow", "bad", 2)
    server.run(*words)
    spoil_images(tmp_path / "arrow" / "scenes_val.arrow")
    ended = server.run(*words)
    assert ended.status == 2, ended.output
    assert ended.left == []
    assert ended.output.splitlines()[-1].startswith(f"{tmp_path}/arrow/scenes_val.arrow, row 0: the image cannot be")


def spoil_images(path: Path) -> None:
    table = pa.ipc.open_file(path).read_all()
    place = table.column_names.index("image")
    spoilt = pa.array([b"no image"] * len(table), table.schema.field("image").type)
    table = table.set_column(place, table.schema.field("image"), spoilt)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def test_a_table_cut_off_between_a_worker_s_look_and_its_read_is_named(run, tmp_path, monkeypatch):
    """The worker dies of a bus error; whoever sees that looks at the tables."""
    data, main_process, check = tmp_path / "arrow", os.getpid(), TableExamples.check_whole
    settings = {"max_steps": 40, "batch_size": 4, "log_interval": 1, "warmup_steps": 0, "data_root": str(data)}

    def in_main_process(source: TableExamples) -> None:
        if os.getpid() == main_process:
            check(source)

    def cut(name: str, value: float, step: int) -> None:
        for table in data.glob("scenes_train.arrow") if step == 1 else ():
            os.truncate(table, 4096)

    monkeypatch.setattr(TableExamples, "check_whole", in_main_process)
    with pytest.raises(UserError, match=r"scenes_train\.arrow was cut off while it was in use"):
        run("task_itm", "scenes", "tiny", **settings, num_workers=1, log_scalar=cut)
    assert multiprocessing.active_children() == []
