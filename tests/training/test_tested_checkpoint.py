"""A test of a checkpoint, `test_only`: on what data, of which images, and at which step it stands on the curves."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

from renaissance.errors import UserError
from renaissance.tracking.metrics import read_rows

CAPTIONS = ("task_foundation_captioning", "tiny")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "dog.png"
    Image.new("RGB", (80, 60), "brown").save(path)
    return path


@pytest.fixture(scope="module")
def captioned(scenes_root, tmp_path_factory):
    """The checkpoint of three steps of captioning, on the scenes."""
    from tests.training.conftest import Runner

    run = Runner(scenes_root, tmp_path_factory.mktemp("captioned"))
    folder, _ = run(*CAPTIONS, "scenes", max_steps=3, caption_metric_images=2, num_samples=1)
    return folder.best_checkpoint


def test_the_data_are_the_checkpoints_unless_told_otherwise(run, captioned, capsys):
    _, final = run(*CAPTIONS, chosen=set(), test_only=True, load_path=str(captioned), num_samples=1)
    assert "caption/test/loss" in final, "task_foundation_captioning names COCO, whose tables are not there"
    assert "testing on the checkpoint's data: scenes" in capsys.readouterr().out
    with pytest.raises(UserError, match="coco"):
        run(*CAPTIONS, chosen={"datasets"}, test_only=True, load_path=str(captioned), datasets=["coco"])


def test_own_images_alone_need_no_table(run, captioned, photograph, tmp_path):
    nowhere = tmp_path / "no tables"
    folder, final = run(
        *CAPTIONS,
        chosen=set(),
        test_only=True,
        load_path=str(captioned),
        manual_inputs=[{"image": str(photograph), "prefix": ""}],
        data_root=str(nowhere),
    )
    assert final == {}
    assert not nowhere.exists(), "nothing is drawn for it"
    with (folder.samples / "test.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [str(photograph)]
    assert (folder.samples / "test.png").is_file()


def test_own_images_of_a_task_that_writes_nothing_are_refused(make_settings, photograph):
    with pytest.raises(UserError, match="imdb writes no captions"):
        make_settings(loss_names={"imdb": 1}, manual_inputs=[{"image": str(photograph)}])


def test_a_test_stands_at_the_step_that_its_checkpoint_was_trained_to(run, captioned):
    folder, _ = run(*CAPTIONS, chosen=set(), test_only=True, load_path=str(captioned), num_samples=1)
    points = [point for _, point in read_rows(folder.metrics)]
    assert {point.step for point in points} == {3}
    assert all(0 < point.epoch < 1 for point in points)


def test_the_questions_are_the_checkpoints_unless_told_otherwise(run):
    questions = {"eval_seed": 7, "mlm_prob": 0.5, "draw_false_image": 2}
    folder, final = run("task_mlm_itm", "scenes", "tiny", max_steps=2, **questions)
    tested = {"test_only": True, "load_path": str(folder.best_checkpoint)}
    _, again = run("task_mlm_itm", "scenes", chosen=set(), **tested)
    assert again == {name: value for name, value in final.items() if "/test/" in name}
    _, other = run("task_mlm_itm", "scenes", chosen={"mlm_prob"}, mlm_prob=0.15, **tested)
    assert other["mlm/test/loss"] != again["mlm/test/loss"]
