"""A job that is killed, at any moment, goes on where it was: no row is lost, and none is there twice."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from renaissance.errors import UserError
from renaissance.predicting.output import closing
from tests.command_line import ROOT, execute

ROWS = 600


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text"), *((f"{n:05d}", f"a red circle {n}") for n in range(ROWS))])
    return path


@pytest.mark.slow
def test_a_killed_job_goes_on(trained, source, tmp_path):
    output, partial = tmp_path / "answers.csv", tmp_path / "answers.csv.partial"
    words = [f"load_path={trained('task_finetune_imdb')}", f"input={source}", f"output={output}", "eval_batch_size=2",
             "num_workers=1"]  # fmt: skip
    command = [sys.executable, str(ROOT / "run.py"), "predict", "with", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (not partial.exists() or partial.read_text().count('{"done"') < 3):
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert partial.exists()
    assert not output.exists()
    with partial.open("a") as file:
        file.write('{"r": 99999, "i": nu')  # as if it had been in the middle of a line
    assert "going on from row" in execute("predict", "with", *words)
    found = read(output)[1:]
    assert [(row[0], row[1]) for row in found] == [(str(n), f"{n:05d}") for n in range(ROWS)]
    assert not partial.exists()


def test_a_job_whose_input_or_settings_changed_is_refused(trained, source, predicted, tmp_path):
    checkpoint = trained("task_finetune_imdb")
    source.write_text("id,text\n0,good\n1,\n", encoding="utf-8")
    with pytest.raises(UserError, match="max_rejected_fraction"):
        predicted(checkpoint, source)  # leaves a journal
    with pytest.raises(UserError, match=r"since then this has changed: keep\."):
        predicted(checkpoint, source, keep=["text"])
    source.write_text("id,text\n0,good\n1,new\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"since then this has changed: input\."):
        predicted(checkpoint, source)
    journal = (tmp_path / "answers.csv.partial").read_text().splitlines()
    assert json.loads(journal[0])["format"] == 1


def test_where_the_answers_are_there_everything_is(trained, source, predicted, tmp_path, monkeypatch):
    written = closing.write_answers

    def cut(*arguments):
        written(*arguments)
        raise RuntimeError("power cut")

    monkeypatch.setattr(closing, "write_answers", cut)
    with pytest.raises(RuntimeError, match="power cut"):
        predicted(trained("task_finetune_imdb"), source)
    assert len(read(tmp_path / "answers.csv")) == ROWS + 1
    assert json.loads((tmp_path / "answers.csv.summary.json").read_text())["answered"] == ROWS
