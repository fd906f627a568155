"""A job that is killed, at any moment, goes on where it was: no row is lost, and none is there twice."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from renaissance.errors import UserError
from renaissance.predicting.journal import Progress, journal_of
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


def test_what_was_written_before_the_journal_went_is_complete(
    trained, source, predicted, tmp_path, monkeypatch, capsys
):
    def cut(path, *arguments, **named):
        if path.name.endswith(".partial"):
            raise RuntimeError("power cut")
        unlink(path, *arguments, **named)

    checkpoint, unlink = trained("task_finetune_imdb"), Path.unlink
    monkeypatch.setattr(Path, "unlink", cut)
    with pytest.raises(RuntimeError, match="power cut"):
        predicted(checkpoint, source)
    monkeypatch.setattr(Path, "unlink", unlink)
    output, partial = tmp_path / "answers.csv", tmp_path / "answers.csv.partial"
    before, journal = output.read_bytes(), partial.read_bytes()
    output.write_bytes(before + b"\n")  # it is not what the job wrote
    with pytest.raises(UserError, match="is there already, and is not what this job wrote"):
        predicted(checkpoint, source)
    assert partial.read_bytes() == journal
    output.write_bytes(before)
    assert predicted(checkpoint, source) == output
    assert f"complete: all {ROWS} rows were done" in capsys.readouterr().out
    assert output.read_bytes() == before
    assert not partial.exists()


KILLING = """
import os, signal, sys
from pathlib import Path

def kill(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

def before(what, matches):
    return lambda path, *others, **named: kill() if matches(str(path), others) else what(path, *others, **named)

moment = sys.argv.pop(1)
if moment == "unlink":
    Path.unlink = before(Path.unlink, lambda path, others: path.endswith("answers.csv.partial"))
else:
    os.replace = before(os.replace, lambda path, others: str(others[0]).endswith("answers.csv"))
import runpy
sys.argv[0] = "run.py"
runpy.run_path("run.py", run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["replace", "unlink"])
def test_a_job_that_is_killed_at_its_end_ends_well(trained, source, tmp_path, moment):
    output = tmp_path / "answers.csv"
    words = [f"load_path={trained('task_finetune_imdb')}", f"input={source}", f"output={output}", "num_workers=0"]
    command = [sys.executable, "-c", KILLING, moment, "predict", "with", *words]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == -signal.SIGKILL
    assert output.exists() == (moment == "unlink")
    assert f"predictions: {output}" in execute("predict", "with", *words)
    assert [row[1] for row in read(output)[1:]] == [f"{n:05d}" for n in range(ROWS)]
    assert sorted(path.name for path in tmp_path.iterdir() if "answers" in path.name) == [
        "answers.csv", "answers.csv.summary.json",
    ]  # fmt: skip


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
    assert json.loads(journal[0])["format"] == 2


def test_a_job_of_a_version_that_numbered_rows_in_another_way_is_refused(trained, source, predicted, tmp_path):
    checkpoint = trained("task_finetune_imdb")
    source.write_text('text\ngood\n \n""\n', encoding="utf-8")  # format 1 passed over the line of a space
    with pytest.raises(UserError, match="max_rejected_fraction"):
        predicted(checkpoint, source)
    partial = tmp_path / "answers.csv.partial"
    first, _, rest = partial.read_text().partition("\n")
    partial.write_text(json.dumps({**json.loads(first), "format": 1}) + "\n" + rest)
    with pytest.raises(UserError, match="another version of Renaissance began"):
        predicted(checkpoint, source, max_rejected_fraction=1.0)


@pytest.fixture
def stopped(tmp_path):
    """A journal of five examples in two windows; gives what opens it, and its path."""
    output, job = tmp_path / "answers.csv", {"input": "a"}
    with journal_of(output, job) as journal:
        journal.close_window([{"r": 0, "a": {}}, {"r": 1, "x": ["", "bad"], "at": ""}], Progress(2, 1, 1))
        journal.close_window([{"r": 2, "a": {}}, {"r": 3, "a": {}}, {"r": 4, "a": {}}], Progress(5, 4, 1))
    return lambda: journal_of(output, job), tmp_path / "answers.csv.partial"


@pytest.mark.parametrize("line", [2, 5])
def test_a_journal_that_lines_were_taken_out_of_is_refused(stopped, line):
    opened, path = stopped
    with opened() as journal:
        assert len(list(journal.entries())) == 5
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:line] + lines[line + 1 :]))
    with pytest.raises(UserError, match="is damaged"), opened():
        pass


def test_a_damaged_line_of_a_journal_is_told(stopped):
    opened, path = stopped
    path.write_bytes(path.read_bytes().replace(b'{"r":2', b'{"r"\xff2'))
    with pytest.raises(UserError, match="is damaged"), opened() as journal:
        list(journal.entries())


def test_a_file_that_is_no_journal_is_not_written_over(stopped):
    opened, path = stopped
    path.write_bytes(b"notes of mine, without a line's end")
    with pytest.raises(UserError, match="is no journal of predict"), opened():
        pass
    assert path.read_bytes() == b"notes of mine, without a line's end"


@pytest.mark.parametrize("kept", [0, 5, 14])
def test_a_first_line_that_a_kill_broke_off_is_written_anew(stopped, kept):
    opened, path = stopped
    path.write_bytes(path.read_bytes()[:kept])
    with opened() as journal:
        assert not journal.resumed
    assert path.read_bytes() == b'{"format": 2, "input": "a"}\n'


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
