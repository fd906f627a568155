"""The command `runs`: which runs it lists, in which order, in which form; and what of a query it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import check_settings
from renaissance.tracking import runs as command
from renaissance.tracking.listing import list_runs
from renaissance.tracking.query import Condition, parse_where
from renaissance.tracking.runs import day_in_words, duration_in_words, show_runs
from tests.tracking.run_folders import CURVES, make_run

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Five runs: three of one experiment, one that crashed, one that is broken."""
    parent = tmp_path_factory.mktemp("result")
    for number, (rate, best) in enumerate([(1e-4, 0.6), (1e-3, 0.8), (1e-2, 0.7)], 1):
        curves = {**CURVES, "snli/val/accuracy": [(10, best)], "snli/val/loss": [(10, 1 - best)]}
        started, seconds = {"started": f"2026-11-2{number}T10:00:00+0000"}, {"wall_seconds": 3600.0 * number}
        make_run(parent / "snli" / str(number), curves, learning_rate=rate, seed=number, exp_name="snli",
                 command=started, summary=seconds)  # fmt: skip
    make_run(parent / "two words" / "1", {"mlm/val/loss": [(10, 2.5)]}, status=None, loss_names={"mlm": 1, "itm": 0.5},
             exp_name="two words", freeze_image_encoder=True, datasets=["coco", "vg"])  # fmt: skip
    make_run(parent / "two words" / "2").joinpath("config.json").write_text("{")
    return parent


def show(result, capsys, **settings):
    show_runs(check_settings({**ex.configurations[0](), "log_dir": str(result), **settings}, "runs"))
    return capsys.readouterr().out


def listed(result, capsys, **settings):
    """The names of the runs that are listed."""
    return [run["run"] for run in json.loads(show(result, capsys, runs_format="json", **settings))]


@pytest.mark.parametrize(("where", "numbers"), [
    ("status=finished", "123"), ("status!=finished", "45"), ("learning_rate>1e-4", "23"),
    ("learning_rate>=1e-4", "123"), ("learning_rate=0.001", "2"), ("learning_rate<5e-3 and seed!=1", "24"),
    ("exp_name='two words'", "4"), ("task=mlm", "4"), ("task=snli and best>0.65", "23"), ("snli/val/loss<0.35", "23"),
    ("snli/test/accuracy>0.7", "123"), ("freeze_image_encoder=true", "4"), ("freeze_image_encoder=True", "4"),
    ("run~snli", "123"), ("loss_names.itm=0.5", "4"), ("started>=2026-11-22", "234"), ("duration>90min", "234"),
    ("duration<=2h and status=finished", "12"), ('datasets=["coco", "vg"]', "1234"), ("load_path=''", "1234"),
    ("patch_size=none and seed=2", "2"), ("step>10", "123"), ("status==finished   and   seed == 3", "3"),
    ("started=2026-11-22", "2"), ("started<=2026-11-22", "12"), ("started>2026-11-22 and status=finished", "3"),
    ("exp_name~WORDS", "4"), ("duration<90 min and status=finished", "1"), ("duration=2h", "2"),
    ("duration < 2 h", "1"), ("started!=2026-11-22", "1345"), ("started~2026", ""), ("mlm/val/loss>0", "4"),
])  # fmt: skip
def test_a_query_lists_what_it_says(result, capsys, where, numbers):
    names = ["snli/1", "snli/2", "snli/3", "two words/1", "two words/2"]
    assert listed(result, capsys, where=where) == [names[int(number) - 1] for number in numbers]


def test_a_name_of_digits_is_a_name(tmp_path, capsys):
    make_run(tmp_path / "1", exp_name="7")
    make_run(tmp_path / "10")
    make_run(tmp_path / "2")
    assert [name.rpartition("/")[2] for name in listed(tmp_path, capsys, sort_by="run")] == ["1", "2", "10"]
    assert len(listed(tmp_path, capsys, where="exp_name=7")) == 1


@pytest.mark.parametrize("asked", [{"where": "snli/val/acuracy>0.1"}, {"sort_by": "-snli/val/acuracy"},
                                   {"where": "loss_names.itmm=1"}])  # fmt: skip
def test_what_no_run_has_is_said(result, capsys, asked):
    with pytest.raises(UserError, match="none of the 5 runs has"):
        show(result, capsys, **asked)


@pytest.mark.parametrize(("where", "said"), [
    ("learning_rat>1", r"no 'learning_rat'; did you mean learning_rate\?"),
    ("learning_rate", "a condition is a name, a sign and a value"),
    ("learning_rate>much", "must be a number"),
    ("seed=1 or seed=2", "'or seed=2' is not understood"),
    ("seed=1 and", "'and' is not understood"),
    ("seed=1 andseed=2", "'andseed=2' is not understood"),
    ("started>yesterday", "must be a day, such as 2026-11-27"),
    ("duration>long", "must be a time, such as 90min"),
    ("started=yesterday", "must be a day"), ("started!=x", "must be a day"), ("duration=1.2.3h", "must be a time"),
    ("duration!=long", "must be a time"),
    ("status=done", "status is one of running, finished"),
    ("__import__('os').system('touch here')=1", "not understood"),
    ("seed=__import__('os').system('touch', 'here')", "not understood"),
])  # fmt: skip
def test_what_is_not_understood_is_said_and_nothing_is_run(result, capsys, where, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        show(result, capsys, where=where)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("condition", ["best<1", "seed=1", "seed!=1"])
def test_numbers_that_no_float_is_are_refused(condition):
    with pytest.raises(UserError, match="must be a number, and none beyond"):
        parse_where(condition + "0" * 400)


def test_quotes_and_signs_are_taken_apart():
    assert parse_where("""exp_name = "a and b"  and seed!=3""") == [
        Condition("exp_name", "=", "a and b"), Condition("seed", "!=", "3"),
    ]  # fmt: skip
    assert parse_where(None) == parse_where("  ") == []


@pytest.mark.parametrize(("sort_by", "numbers"), [
    ("best", "1324"), ("-best", "4231"), ("-learning_rate", "3214"), ("snli/val/loss", "2314"), ("started", "1234"),
    ("-duration", "4321"), ("run", "1234"), ("-status", "1234"),
])  # fmt: skip
def test_runs_are_sorted_and_what_has_no_value_comes_last(result, capsys, sort_by, numbers):
    names = ["snli/1", "snli/2", "snli/3", "two words/1"]
    found = listed(result, capsys, sort_by=sort_by)
    assert [name for name in found if name in names] == [names[int(number) - 1] for number in numbers]
    assert listed(result, capsys, sort_by=sort_by, limit=2) == found[:2]
    assert "two words/2" in found[-2:] or sort_by in ("run", "-status")


def test_a_name_to_sort_by_that_there_is_not(result, capsys):
    with pytest.raises(UserError, match="sort_by: there is no 'bst'; did you mean best"):
        show(result, capsys, sort_by="-bst")


def test_the_table_has_what_differs_and_says_what_is_broken(result, capsys):
    said = show(result, capsys, where="exp_name=snli")
    header, _, *rows = said.splitlines()
    assert header.split() == [
        "run",
        "status",
        "seed",
        "learning_rate",
        "best",
        "snli/val/accuracy",
        "duration",
        "started",
    ]
    assert rows[0].split()[:6] == ["snli/1", "finished", "1", "0.0001", "0.6", "60"]
    assert "3 of 5 runs below" in said
    whole = show(result, capsys)
    assert "two words/2: config.json cannot be read" in whole
    assert "crashed at 10 of 30" in whole
    assert show(result, capsys, where="seed=99") == f"none of the 5 runs below {result} is so\n"
    assert show(result / "nowhere", capsys) == f"no runs below {result / 'nowhere'}\n"


def test_the_table_is_no_wider_than_the_terminal(result, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for width in (200, 120, 90, 40):
        monkeypatch.setattr(os, "get_terminal_size", lambda width=width: os.terminal_size((width, 50)))
        table = show(result, capsys).splitlines()
        assert max(len(line) for line in table[:7]) <= width
    assert "for which there is no room: " in "\n".join(table)
    assert "loss_names" in "\n".join(table)


def test_groups_of_seeds_stand_below(tmp_path, capsys):
    for seed, best in enumerate([0.6, 0.7, 0.8]):
        make_run(tmp_path / "snli" / str(seed + 1), {"snli/val/accuracy": [(10, best)]}, seed=seed)
    said = show(tmp_path, capsys)
    row = next(line for line in said.splitlines() if line.startswith("snli/1-3")).split()
    assert row == ["snli/1-3", "snli/val/accuracy", "0.7", "0.1", "0.4516", "0.9484", "3", "0,", "1,", "2"]


def test_csv_markdown_and_latex_hold_the_same(result, capsys):
    rows = list(csv.DictReader(io.StringIO(show(result, capsys, runs_format="csv", where="exp_name=snli"))))
    assert [row["run"] for row in rows] == ["snli/1", "snli/2", "snli/3"]
    assert [float(row["learning_rate"]) for row in rows] == [1e-4, 1e-3, 1e-2]
    assert rows[1]["snli/test/accuracy"] == "0.72"
    assert rows[1]["seconds"] == "7200.0"
    markdown = show(result, capsys, runs_format="markdown", where="exp_name=snli").splitlines()
    assert markdown[0].startswith("| run | status | seed | learning\\_rate |")
    assert len(markdown) == 5
    latex = show(result, capsys, runs_format="latex", where="exp_name=snli").splitlines()
    assert latex[2].startswith("run & status & seed & learning\\_rate &")
    assert latex[-1] == "\\end{tabular}"


def test_json_is_strict_and_has_all_settings(tmp_path, capsys):
    make_run(
        tmp_path / "snli" / "1", {"snli/val/accuracy": [(10, float("nan"))], "snli/test/loss": [(10, float("inf"))]}
    )
    text = show(tmp_path, capsys, runs_format="json")
    (run,) = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert (run["best"], run["tested"], run["settings"]["batch_size"]) == (None, {"snli/test/loss": None}, 256)


def test_runs_of_several_folders_are_listed_once_and_told_apart(tmp_path, capsys):
    for parent in ("one", "two"):
        make_run(tmp_path / parent / "mlm" / "1")
    folders = [str(tmp_path / "one"), str(tmp_path / "two" / "mlm"), str(tmp_path / "one" / "mlm")]
    assert listed(tmp_path, capsys, runs=folders[:1] + folders[2:]) == ["1"]
    assert len(listed(tmp_path, capsys, runs=folders)) == 2
    with pytest.raises(UserError, match="no such folder"):
        show(tmp_path, capsys, runs=[str(tmp_path / "three")])


def test_terminal_commands_in_a_folder_are_not_obeyed(tmp_path, capsys):
    make_run(tmp_path / "mlm" / "1", vocab_file="\x1b[31mred\nline")
    make_run(tmp_path / "mlm" / "2", vocab_file=None)
    said = show(tmp_path, capsys)
    assert "\x1b" not in said
    assert len([line for line in said.splitlines() if line.startswith("mlm/")]) == 2


@pytest.mark.parametrize(("seconds", "words"), [
    (None, None), (4.4, "4 s"), (89, "89 s"), (120, "2 min"), (7200, "2.0 h"), (86400 * 3, "3.0 d"),
])  # fmt: skip
def test_durations_are_in_words(seconds, words):
    assert duration_in_words(seconds) == words
    assert day_in_words(None) is None


def test_listing_needs_no_torch(result):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "run.py", "runs", "with", f"log_dir={result}", "runs_format=csv"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == len(list_runs(result))
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not {name.split(".")[0] for name in imported} & {"torch", "transformers", "pytorch_lightning", "matplotlib"}
    assert "scipy.stats" not in imported
    assert command
