"""Which runs are one unit, which of them count, and what is said of the others."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from renaissance.settings import Settings
from renaissance.tracking.groups import group_name, seed_groups, settings_of_figures
from renaissance.tracking.listing import list_runs
from tests.tracking.run_folders import STARTED, VERSIONS, make_run


def groups(parent):
    return seed_groups(list_runs(parent))


def names(parent):
    return [group.name for group in groups(parent)]


def test_runs_that_differ_in_the_seed_alone_are_one_group(tmp_path):
    for seed in range(3):
        make_run(tmp_path / "one" / str(seed + 1), seed=seed)
        make_run(tmp_path / "two" / str(seed + 1), seed=seed, learning_rate=1e-3)
    assert names(tmp_path) == ["one/1-3", "two/1-3"]
    assert [group.seeds for group in groups(tmp_path)] == [(0, 1, 2), (0, 1, 2)]


@pytest.mark.parametrize(("setting", "value", "together"), [
    ("exp_name", "other", True), ("log_dir", "/elsewhere", True), ("num_workers", 0, True), ("log_interval", 3, True),
    ("wandb_project", "mine", True), ("data_root", "/elsewhere", True), ("resume_from", "auto", True),
    ("where", "seed=1", True), ("dataset", "coco", True),
    ("learning_rate", 1e-3, False), ("max_steps", 7, False), ("eval_seed", 1, False), ("num_scenes", 60, False),
    ("load_path", "a.ckpt", False), ("test_only", True, False), ("precision", 16, False), ("mlm_prob", 0.5, False),
])  # fmt: skip
def test_a_setting_tells_groups_apart_where_figures_depend_on_it(tmp_path, setting, value, together):
    make_run(tmp_path / "one" / "1", seed=0)
    make_run(tmp_path / "one" / "2", seed=1, **{setting: value})
    assert (len(groups(tmp_path)) == 1) == together


def test_every_setting_of_a_training_is_known_by_its_mark():
    assert {"optim_type", "datasets", "val_fraction"} <= set(settings_of_figures())
    assert not {"seed", "runs", "exp_name", "tensorboard"} & set(settings_of_figures())
    assert set(settings_of_figures()) < Settings.model_fields.keys()


def test_a_run_that_was_changed_on_the_way_is_not_of_those_that_were_so_from_the_start(tmp_path):
    make_run(tmp_path / "one" / "1", seed=0, learning_rate=1e-3)
    changed = [{"step": 10, "changed": {"learning_rate": [1e-4, 1e-3]}, "started": STARTED}]
    make_run(tmp_path / "one" / "2", seed=1, learning_rate=1e-4, resumes=changed)
    assert names(tmp_path) == ["one/1", "one/2"]
    resumed = [{"step": 10, "changed": {"log_interval": [10, 5]}, "started": STARTED}]
    make_run(tmp_path / "one" / "3", seed=2, learning_rate=1e-3, resumes=resumed)
    assert names(tmp_path) == ["one/1,3", "one/2"]


def test_of_two_runs_of_one_seed_the_newer_counts_and_that_is_said(tmp_path):
    make_run(tmp_path / "one" / "1", seed=0, command={"started": "2026-11-27T10:00:00+0000"})
    make_run(tmp_path / "one" / "2", seed=0)
    make_run(tmp_path / "one" / "3", seed=1)
    (group,) = groups(tmp_path)
    assert [run.name for run in group.counted] == ["one/1", "one/3"]
    assert group.remarks == ("not counted, for a newer run has the same seed and tells nothing more: one/2",)


def test_what_is_not_finished_does_not_count(tmp_path):
    make_run(tmp_path / "one" / "1", seed=0)
    make_run(tmp_path / "one" / "2", seed=1, status="interrupted")
    make_run(tmp_path / "one" / "3", seed=2, status=None)
    make_run(tmp_path / "one" / "4", seed=3).joinpath("config.json").write_text("{")
    (group,) = groups(tmp_path)
    assert (group.name, group.seeds) == ("one/1-3", (0,))
    assert group.remarks == ("not counted, for not finished: one/2 (interrupted), one/3 (crashed)",)


def test_other_tables_and_other_versions_within_a_group_are_said(tmp_path):
    make_run(tmp_path / "one" / "1", seed=0, command={"tables": {"train/coco.arrow": 10}})
    make_run(tmp_path / "one" / "2", seed=1, command={"tables": {"train/coco.arrow": 12}})
    make_run(tmp_path / "one" / "3", seed=2, command={"versions": {**VERSIONS, "torch": "2.10"}})
    (group,) = groups(tmp_path)
    assert group.remarks == (
        "they read different tables: train/coco.arrow 10 (one/1), 12 (one/2), not recorded (one/3)",
        "they ran on different versions: torch 2.13.0 (one/1), 2.10 (one/3)",
    )


@pytest.mark.parametrize(("other", "said"), [
    ({"command": {"tables": {"train/coco.arrow": 12}}}, "they read different tables: train/coco.arrow 10 (one/1), 12"),
    ({"data_root": "/b"}, "they read tables of different folders, which may not be the same: data_root data/arrow"),
    ({"command": {"versions": {**VERSIONS, "torch": "2.10"}}}, "they ran on different versions: torch 2.13.0 (one/1)"),
    ({"devices": 2}, "they ran on different devices: devices None (one/1), 2 (one/2)"),
    ({"num_gpus": 0}, "they ran on different devices: num_gpus auto (one/1), 0 (one/2)"),
])  # fmt: skip
def test_a_seed_that_was_tried_under_other_circumstances_is_no_repeat_and_a_group_of_its_own(tmp_path, other, said):
    same = {"tables": {"train/coco.arrow": 10}}
    make_run(tmp_path / "one" / "1", seed=0, command=same)
    given = {**other, "command": {**same, **other.get("command", {})}}
    make_run(tmp_path / "one" / "2", seed=0, **given)
    make_run(tmp_path / "one" / "3", seed=1, command=same)
    first, second = groups(tmp_path)
    assert ([run.name for run in first.counted], first.seeds) == (["one/1", "one/3"], (0, 1))
    assert ([run.name for run in second.counted], second.seeds) == (["one/2"], (0,))
    for group in (first, second):
        (remark,) = group.remarks
        assert remark.startswith(f"not counted together with runs of the same settings: {said}")
    make_run(tmp_path / "one" / "4", seed=2, **given)
    assert names(tmp_path) == ["one/1,3", "one/2,4"]


@pytest.mark.parametrize(("other", "said"), [
    ({"data_root": "/b"}, "data_root data/arrow (one/1), /b (one/2)"),
    ({"devices": 2}, "devices None (one/1), 2 (one/2)"),
])  # fmt: skip
def test_what_differs_between_seeds_is_said_though_they_count_together(tmp_path, other, said):
    make_run(tmp_path / "one" / "1", seed=0)
    make_run(tmp_path / "one" / "2", seed=1, **other)
    (group,) = groups(tmp_path)
    assert group.seeds == (0, 1)
    assert [remark.partition(": ")[2] for remark in group.remarks] == [said]


def test_tables_of_one_name_and_size_with_another_content_are_told_apart(tmp_path):
    tables = {"train/a.arrow": 9}
    make_run(tmp_path / "one" / "1", seed=0, command={"tables": tables, "contents": {"train/a.arrow": "aa"}})
    moved = {"tables": tables, "contents": {"train/a.arrow": "aa"}}
    make_run(tmp_path / "one" / "2", seed=1, command=moved, data_root="/elsewhere")
    (group,) = groups(tmp_path)
    assert not group.remarks, "the same content in another folder"
    make_run(tmp_path / "one" / "3", seed=2, command={"tables": tables, "contents": {"train/a.arrow": "bb"}})
    (group,) = groups(tmp_path)
    assert group.remarks == ("they read tables of different content: train/a.arrow aa (one/1), bb (one/3)",)
    make_run(tmp_path / "one" / "4", seed=0, command={"tables": tables, "contents": {"train/a.arrow": "bb"}})
    assert len(groups(tmp_path)) == 2


def test_a_plug_in_that_was_written_again_makes_another_group_of_the_same_seed(tmp_path):
    for number, source in enumerate(("ONE = 1", "ONE = 2", "ONE = 1"), 1):
        kept = make_run(tmp_path / "one" / str(number), seed=0, plugins=["mine.py"]) / "plugins" / "mine.py"
        kept.parent.mkdir()
        kept.write_text(source)
    assert names(tmp_path) == ["one/1,3", "one/2"]
    hashes = [hashlib.sha256(source.encode()).hexdigest()[:8] for source in ("ONE = 1", "ONE = 2")]
    assert (
        groups(tmp_path)[1]
        .remarks[0]
        .endswith(f"they had different plug-ins: mine.py {hashes[0]} (one/1), {hashes[1]} (one/2)")
    )


def test_a_run_of_before_a_setting_came_has_its_default(tmp_path):
    make_run(tmp_path / "one" / "1", seed=0)
    make_run(tmp_path / "one" / "2", seed=1)
    runs = list_runs(tmp_path)
    older = {name: value for name, value in runs[1].settings.items() if name != "patch_dropout"}
    assert len(seed_groups([runs[0], replace(runs[1], settings=older)])) == 1
    assert len(seed_groups([replace(runs[0], settings={**older, "patch_dropout": 0.5}), runs[1]])) == 2


@pytest.mark.parametrize(("given", "name"), [
    (["mlm/1"], "mlm/1"), (["mlm/3", "mlm/1", "mlm/2", "mlm/7"], "mlm/1-3,7"), (["a/1", "b/1"], "a/1, b/1"),
    (["mlm/1", "mlm/10", "mlm/2"], "mlm/1-2,10"), (["/r/mlm/1", "/r/mlm/2"], "/r/mlm/1-2"), (["a/x", "a/1"], "a/x,1"),
])  # fmt: skip
def test_a_group_has_one_name(given, name):
    assert group_name(given) == name
