"""Splits by name: trained on train, validated on val, tested on each of the others under its own name."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from renaissance.data.preparing.prepare import prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.tracking.compare import compare_runs
from renaissance.tracking.metrics import read_points
from tests.training.conftest import Runner
from tests.training.interrupting import run_whole_and_broken, stop_at

FURTHER = ("dev", "test1", "testA", "val_matched")
NO_SPLITS = ("extra_train", "dev_train", "dev_hard", "other", "test_images_val", "TEST", "test.old", "trainval")
SETTINGS = {"max_steps": 4, "warmup_steps": 0, "log_interval": 2, "val_check_interval": 2, "num_samples": 0,
            "batch_size": 16, "per_gpu_batchsize": 16, "datasets": ["flickr"]}  # fmt: skip


@pytest.fixture(scope="module")
def root(scenes_root: Path, tmp_path_factory, make_settings) -> Path:
    """Tables of one data set by many names, among them such as are no split of it."""
    prepare_data_set(data_sets()["scenes"], make_settings(data_root=str(scenes_root), num_scenes=120), processes=1,
                     schemas=("caption",))  # fmt: skip
    folder = tmp_path_factory.mktemp("splits")
    sources = {"train": "train", "val": "val", "dev": "val", **dict.fromkeys([*FURTHER[1:], *NO_SPLITS], "test")}
    for name, source in sources.items():
        (folder / f"flickr_{name}.arrow").symlink_to(scenes_root / f"scenes_{source}.arrow")
    # Data sets of their own, whose names begin alike.
    for name in ("flickr_test_hard_train", "flickr_test_hard_dev"):
        (folder / f"{name}.arrow").symlink_to(scenes_root / "scenes_test.arrow")
    return folder


@pytest.fixture
def splits_run(root, tmp_path):
    return Runner(root, tmp_path / "result")


def beyond_training(names):
    return list(dict.fromkeys(name.split("/")[1] for name in names if name.split("/")[1] not in ("train", "val")))


def test_each_further_split_is_tested_under_its_own_name(splits_run, make_settings, capsys):
    folder, final = splits_run("task_mlm_itm", "tiny", **SETTINGS)
    assert beyond_training(final) == list(FURTHER)
    out = capsys.readouterr().out
    counts = "examples: train 200, val 20, " + ", ".join(f"{split} 20" for split in FURTHER)
    assert counts in out
    header = next(line for line in out.splitlines() if line.startswith("task  metric"))
    assert header.split()[2:-2] == ["train", "val", *FURTHER]
    points = read_points(folder.metrics)
    for metric in ("mlm/{}/loss", "itm/{}/accuracy"):
        assert {len(points[metric.format(split)]) for split in FURTHER} == {1}
        assert len({final[metric.format(split)] for split in FURTHER[1:]}) == 1, "they are the same table"
    best = json.loads(folder.summary.read_text())["best_step"]
    at_best = {point.step: point.value for point in points["mlm/val/loss"]}[best]
    assert final["mlm/dev/loss"] == pytest.approx(at_best), "the best checkpoint is what is tested"
    summary = json.loads(folder.summary.read_text())
    assert summary["examples"] == {"train": 200, "val": 20, **dict.fromkeys(FURTHER, 20)}
    assert set(summary["final"]) == set(final)
    assert (folder.plots / "mlm_loss.png").is_file()
    compared = compare_runs(make_settings(runs=[str(folder.path)], compare_dir=str(folder.path / "compared")))
    with (compared / "comparison.csv").open(newline="") as file:
        columns = next(csv.reader(file))
    assert [column for column in columns if column in FURTHER] == list(FURTHER)


def test_such_a_run_is_resumed_and_tested_anew(splits_run):
    named = ("task_mlm_itm", "tiny")
    whole, broken = run_whole_and_broken(splits_run, *named, stop=stop_at(2, "itm/train/loss"), **SETTINGS)
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    final = json.loads(whole.summary.read_text())["final"]
    given = {"load_path": str(whole.best_checkpoint), "test_only": True}
    again, values = splits_run(*named, **given)
    assert beyond_training(values) == list(FURTHER)
    assert values == pytest.approx({name: final[name] for name in values}, rel=1e-5)
    assert json.loads(again.summary.read_text())["examples"] == dict.fromkeys(FURTHER, 20)


def test_a_data_set_whose_name_another_begins_with_keeps_its_splits(root, tmp_path):
    settings = {**SETTINGS, "datasets": ["flickr_test_hard"], "max_steps": 1, "val_check_interval": 1.0}
    _, final = Runner(root, tmp_path / "result")("task_mlm", "tiny", **settings)
    assert beyond_training(final) == ["dev"]
