"""Runs side by side: best values in the metric's own direction, what differs, pictures, and no torch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from config import ex
from renaissance.errors import UserError
from renaissance.settings import check_settings
from renaissance.tracking import curves
from renaissance.tracking.compare import compare_runs, run_names
from renaissance.tracking.drawing.run_curves import RunCurves, read_curves
from renaissance.tracking.metrics import Point, more_is_better
from renaissance.tracking.summary import best_values, results_table

REPOSITORY = Path(__file__).resolve().parents[2]
CURVES = {
    "itm/val/accuracy": [(10, 0.5), (20, 0.75), (30, 0.7)],
    "itm/val/loss": [(10, 0.9), (20, 0.4), (30, 0.6)],
    "itm/train/loss": [(5, 1.0), (15, 0.8)],
}


def make_run(folder: Path, curves=CURVES, *, status="finished", speed=120.0, **settings):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**ex.configurations[0](), **settings}))
    rows = [f"{step},0.1,{name},{value}" for name, series in curves.items() for step, value in series]
    (folder / "metrics.csv").write_text("\n".join(["step,epoch,name,value", *rows, ""]))
    if status:
        (folder / "summary.json").write_text(json.dumps({"status": status, "examples_per_second": speed}))
    return str(folder)


def comparing(tmp_path, runs, **more):
    defaults = {**ex.configurations[0](), "log_dir": str(tmp_path / "result")}
    return check_settings({**defaults, "runs": runs, **more}, "compare")


def test_the_table_has_best_final_and_test_and_what_differs(tmp_path, capsys):
    tested = {**CURVES, "itm/test/accuracy": [(20, 0.72)]}
    one = make_run(tmp_path / "r" / "1", tested, learning_rate=1e-4)
    two = make_run(tmp_path / "r" / "2", {"mlm/val/accuracy": [(10, 0.1)]}, status="", learning_rate=1e-3)
    folder = compare_runs(comparing(tmp_path, [one, two]))
    assert folder == tmp_path / "result" / "comparisons" / "1"
    table = list(csv.DictReader((folder / "comparison.csv").open(newline="")))
    assert table == [
        {"run": "r/1", "task": "itm", "metric": "accuracy", "best": "0.75", "at step": "20", "final": "0.7",
         "test": "0.72", "examples/s": "120.0", "learning_rate": "0.0001"},
        {"run": "r/2", "task": "mlm", "metric": "accuracy", "best": "0.1", "at step": "10", "final": "0.1",
         "test": "", "examples/s": "", "learning_rate": "0.001"},
    ]  # fmt: skip
    said = capsys.readouterr().out
    assert "r/2: not finished; its last point is at step 10" in said
    assert "learning_rate" in said
    assert {path.name for path in folder.glob("*.png")} == {"itm_accuracy.png", "itm_loss.png", "mlm_accuracy.png"}
    with Image.open(folder / "itm_accuracy.png") as image:
        assert image.width > 100
    assert compare_runs(comparing(tmp_path, [one, two])).name == "2", "never into a folder that is there"


def test_settings_that_no_training_reads_are_left_out(tmp_path):
    of_others = {"raw_root": "a", "dataset_name": "b", "max_rejected_fraction": 0.5, "export_dir": "c"}
    one = make_run(tmp_path / "r" / "1", num_scenes=60, **of_others)
    two = make_run(tmp_path / "r" / "2", num_scenes=90)
    folder = compare_runs(comparing(tmp_path, [one, two]))
    columns = next(csv.reader((folder / "comparison.csv").open(newline="")))
    assert columns[-2:] == ["examples/s", "num_scenes"], "a training that draws its scenes reads how many"


def test_splits_beyond_train_and_val_each_have_their_column(tmp_path, capsys):
    one = make_run(tmp_path / "r" / "1", {**CURVES, "itm/testA/accuracy": [(20, 0.6)], "itm/dev/accuracy": [(20, 0.5)]})
    two = make_run(tmp_path / "r" / "2", {"itm/test/accuracy": [(10, 0.4)], **CURVES})
    folder = compare_runs(comparing(tmp_path, [one, two]))
    table = list(csv.reader((folder / "comparison.csv").open(newline="")))
    assert table == [
        ["run", "task", "metric", "best", "at step", "final", "testA", "dev", "test", "examples/s"],
        ["r/1", "itm", "accuracy", "0.75", "20", "0.7", "0.6", "0.5", "", "120.0"],
        ["r/2", "itm", "accuracy", "0.75", "20", "0.7", "", "", "0.4", "120.0"],
    ]
    assert (folder / "itm_accuracy.png").is_file()


def test_the_results_table_has_train_and_val_first_and_every_other_split_as_it_comes():
    values = {"itm/testA/accuracy": 0.3, "itm/val/accuracy": 0.2, "itm/dev/loss": 0.5, "itm/train/accuracy": 0.1}
    table = results_table({name: [Point(1, 0.1, value)] for name, value in values.items()})
    assert [line.split() for line in table.splitlines() if "-" not in line] == [
        ["task", "metric", "train", "val", "testA", "dev", "best", "val"],
        ["itm", "accuracy", "0.1", "0.2", "0.3", "–", "0.2"],
        ["itm", "loss", "–", "–", "–", "0.5", "–"],
    ]


def test_every_split_has_its_own_marker_and_colour_in_the_curves(tmp_path, pictures):
    splits = ("test", "dev", "testA", "val", "train")
    points = {f"vqa/{split}/score": [Point(4, 0.1, 0.5)] for split in splits}
    run = RunCurves(points)
    assert curves.draw_curves(run, tmp_path) == [tmp_path / "vqa_score.png"]
    lines = {line.get_label().partition(" ")[0]: line for line in pictures["vqa_score"].axes.get_lines()}
    assert list(lines) == ["training", "validation", "test", "dev", "testA"]
    assert len({line.get_color() for line in lines.values()}) == 5
    assert len({lines[split].get_marker() for split in ("test", "dev", "testA")}) == 3
    curves.draw_comparison({"a": [run], "b": [RunCurves({"vqa/val/score": [Point(4, 0.1, 0.5)]})]}, tmp_path)
    picture = pictures["vqa_score"]
    assert picture.axes.get_title() == "VQA: VQA score"
    told = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert told == ["a", "b", "validation", "training, pale", "test", "dev", "testA"]


def test_a_setting_that_a_resume_changed_is_shown_with_its_steps(tmp_path):
    runs = [make_run(tmp_path / "r" / number, learning_rate=1e-4) for number in "12"]
    resumes = [{"step": 1500, "changed": {"learning_rate": [1e-4, 2e-5]}}]
    Path(runs[1], "command.json").write_text(json.dumps({"command": [], "resumes": resumes}))
    folder = compare_runs(comparing(tmp_path, runs))
    table = list(csv.DictReader((folder / "comparison.csv").open(newline="")))
    assert [row["learning_rate"] for row in table] == ["0.0001", "0.0001, from step 1,500 2e-05"]


def test_a_run_of_before_a_setting_came_differs_in_nothing_that_it_says_otherwise(tmp_path):
    runs = [make_run(tmp_path / "r" / number, schedule="cosine") for number in "12"]
    config = Path(runs[0], "config.json")
    settings = {
        name: value for name, value in json.loads(config.read_text()).items() if name not in ("schedule", "gamma")
    }
    config.write_text(json.dumps({**settings, "decay_power": "cosine"}))
    table = list(csv.DictReader((compare_runs(comparing(tmp_path, runs)) / "comparison.csv").open(newline="")))
    assert not {"schedule", "gamma", "decay_power"} & table[0].keys()


def test_runs_of_one_name_are_called_by_their_folders():
    assert run_names(["result/a/1", "result/a/2/"]) == ["a/1", "a/2"]
    assert run_names(["here/a/1", "there/a/1"]) == ["here/a/1", "there/a/1"]


def test_the_direction_of_a_metric_is_the_same_everywhere():
    points = {name: [Point(step, 0.0, value) for step, value in series] for name, series in CURVES.items()}
    assert best_values(points) == {"itm/val/accuracy": 0.75, "itm/val/loss": 0.4, "itm/train/loss": 0.8}


@pytest.mark.parametrize(("name", "more"), [
    ("itm/val/accuracy", True), ("caption/test/perplexity", False), ("caption/val/rouge_l", True),
    ("mlm/train/loss", False), ("gone/val/accuracy", True), ("gone/val/contrastive_loss", False),
    ("itm/val/perplexity", False), ("gone/val/f1", True),
])  # fmt: skip
def test_metrics_that_no_task_declares_have_a_direction_by_their_names(name, more):
    assert more_is_better(name) is more


def test_what_is_no_run_is_said_all_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    one = make_run(tmp_path / "1")
    with pytest.raises(UserError, match=r"nowhere(.|\n)*empty' is no run(.|\n)*is named twice"):
        comparing(tmp_path, [str(tmp_path / "nowhere"), str(tmp_path / "empty"), one, one])
    with pytest.raises(UserError, match="runs: say which"):
        comparing(tmp_path, None)
    with pytest.raises(UserError, match="no metrics yet"):
        compare_runs(comparing(tmp_path, [make_run(tmp_path / "2", {})]))
    broken = make_run(tmp_path / "3")
    (tmp_path / "3" / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        compare_runs(comparing(tmp_path, [broken]))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="compare_dir="):
        compare_runs(comparing(tmp_path, [one], compare_dir=str(tmp_path / "file")))


def test_comparing_needs_no_torch(tmp_path):
    one = make_run(tmp_path / "1")
    words = ["compare", "with", f'runs=["{one}"]', f"compare_dir={tmp_path}/out"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "run.py", *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"comparison: {tmp_path}/out/1"
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "pytorch_lightning"}


def test_damaged_rows_and_levels_of_chance_are_left_out(tmp_path, capsys):
    """A step that no array holds, fields of a megabyte, a level that no float is, a file too deep to be read."""
    one, two = (make_run(tmp_path / "r" / name, num_workers=0) for name in "12")
    long = "x" * 1_000_000
    with (Path(one) / "metrics.csv").open("a") as file:
        file.write(f'{2**63},0.1,itm/val/loss,0.1\n40,0.1,"{long}",0.1\n50,0.1,itm/val/loss,0.5\n')
    row = "10,0.1,100,7.5,0.001,1.0,50"
    (Path(one) / "pace.csv").write_text(f'{row}\n20,0.1,"{long}"\n{row.replace("100", str(10**400))}\n{row}\n')
    (Path(one) / "chance.json").write_text(f'{{"itm/val/accuracy": 1{"0" * 400}, "itm/val/loss": 0.7}}')
    (Path(two) / "chance.json").write_text("[" * 100_000)
    found = [read_curves(given) for given in (one, two)]
    assert [point.step for point in found[0].points["itm/val/loss"]] == [10, 20, 30, 50]
    assert [row.step for row in found[0].pace] == [10, 10]
    assert [run.chance for run in found] == [{"itm/val/loss": 0.7}, {}]
    compare_runs(comparing(tmp_path, [one, two]))
    (Path(two) / "summary.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"summary.json cannot be read"):
        compare_runs(comparing(tmp_path, [one, two]))
