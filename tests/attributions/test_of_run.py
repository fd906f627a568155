"""A run with attributions=True is the same run, with sheets at its end."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from renaissance.tasks.common.task import Task
from renaissance.tracking.trackers.dispatch import Trackers

SHORT = {"max_steps": 2, "warmup_steps": 0}


def test_metrics_are_the_same_and_the_sheets_are_told_of(run, monkeypatch):
    told = []
    monkeypatch.setattr(Trackers, "picture", lambda self, name, path, step: told.append((name, path.name, step)))
    plain, _ = run("task_mlm_itm", "scenes", "tiny", **SHORT, exp_name="plain")
    folder, _ = run(
        "task_mlm_itm", "scenes", "tiny", **SHORT, attributions=True, attributions_examples=3, exp_name="told"
    )
    assert folder.metrics.read_bytes() == plain.metrics.read_bytes()
    assert not plain.attributions.exists()
    sheets = {(name, step) for name, _, step in told if "attributions" in name}
    assert sheets == {("attributions/mlm", 2), ("attributions/itm", 2)}
    for task in ("mlm", "itm"):
        with Image.open(folder.plots / f"attributions_{task}.png") as sheet:
            assert min(sheet.size) > 200
        written = json.loads((folder.attributions / f"{task}.json").read_text())
        assert written["split"] == "val"
        assert len(written["examples"]) == 3
    assert {one["right"] for one in written["examples"]} == {"match"}


@pytest.mark.parametrize("task", ["vqa", "nlvr2", "imdb"])
def test_right_answers_are_the_datas(run, rows, task):
    folder, _ = run(f"task_finetune_{task}", "scenes", "tiny", **SHORT, attributions=True, attributions_examples=2)
    (first, *_) = json.loads((folder.attributions / f"{task}.json").read_text())["examples"]
    row = rows(f"scenes_{task}_val")[0]
    if task == "vqa":
        assert first["right"] == row["answers"][0][0]
    elif task == "imdb":
        assert first["right"] == ["no circle", "circle"][row["label"]]
    else:
        assert set(first["patches"]) == {"image", "second_image"}


def test_a_task_that_cannot_tell_does_not_end_the_run(run, monkeypatch, capsys):
    monkeypatch.setattr("renaissance.tasks.behaviours.classification.ClassificationTask.claim", Task.claim)
    folder, final = run("task_finetune_imdb", "scenes", "tiny", **SHORT, attributions=True)
    assert "attributions of imdb: imdb does not tell" in capsys.readouterr().out
    assert "imdb/test/accuracy" in final
    assert folder.summary.is_file()
