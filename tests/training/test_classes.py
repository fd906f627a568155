"""Classes go by their names: tables, splits and checkpoints may number them as they like."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from renaissance.data.tables.table import with_label_names
from renaissance.errors import UserError
from tests.training.conftest import Runner

ONE_ORDER, OTHER_ORDER = ["negative", "positive"], ["positive", "negative"]
WORDS = {"negative": "dull and much too long", "positive": "a lovely piece of work", "mixed": "lovely but long"}
SETTINGS = {"max_steps": 8, "warmup_steps": 0, "learning_rate": 3e-3, "max_text_len": 12,
            "batch_size": 16, "per_gpu_batchsize": 16}  # fmt: skip


def write_reviews(root: Path, split: str, classes: list[str], told: list[str] | None = None, name: str = "imdb"):
    """A table of 32 reviews of `classes`, numbered as in `told`, in an order that does not depend on that."""
    told = classes if told is None else told
    reviews = [sorted(classes)[number % len(classes)] for number in range(32)]
    columns = {
        "text": [f"film {number} is {WORDS[review]}" for number, review in enumerate(reviews)],
        "label": [told.index(review) for review in reviews],
    }
    table = pa.table(columns)
    root.mkdir(exist_ok=True)
    with pa.OSFile(str(root / f"{name}_{split}.arrow"), "wb") as file:
        schema = with_label_names(table.schema, told)
        with pa.ipc.new_file(file, schema) as writer:
            writer.write_table(table.replace_schema_metadata(schema.metadata))


def write_all(root: Path, train: list[str], others: list[str]) -> Path:
    for split, told in (("train", train), ("val", others), ("test", others)):
        write_reviews(root, split, ONE_ORDER, told)
    return root


def train(root: Path, log_dir: Path, *named: str, **settings):
    return Runner(root, log_dir)("task_finetune_imdb", *named, **{**SETTINGS, **settings})


def entry(folder):
    return torch.load(folder.last_checkpoint, weights_only=True)["renaissance"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on tables of one order, its metrics, and the folder of its tables."""
    tmp = tmp_path_factory.mktemp("classes")
    root = write_all(tmp / "same", ONE_ORDER, ONE_ORDER)
    folder, final = train(root, tmp / "result", "tiny")
    assert final["imdb/test/accuracy"] == 1.0
    return folder, final


def test_splits_may_number_their_classes_in_another_order(trained, tmp_path):
    root = write_all(tmp_path / "arrow", ONE_ORDER, OTHER_ORDER)
    _, final = train(root, tmp_path / "result", "tiny")
    assert final == trained[1]


def test_a_split_may_lack_a_class_but_has_no_unknown_one(trained, tmp_path):
    root = write_all(tmp_path / "arrow", ONE_ORDER, ONE_ORDER)
    write_reviews(root, "test", ["positive"])
    assert train(root, tmp_path / "result", "tiny")[1]["imdb/test/accuracy"] == 1.0
    write_reviews(root, "test", ["mixed", "positive"])
    with pytest.raises(UserError, match=r"imdb_test\.arrow has the classes .*the training data.*mixed is unknown"):
        train(root, tmp_path / "result", "tiny")


def test_a_checkpoints_classes_are_found_by_name(trained, tmp_path):
    folder, final = trained
    root = write_all(tmp_path / "arrow", OTHER_ORDER, OTHER_ORDER)
    given = {"load_path": str(folder.best_checkpoint)}
    _, tested = train(root, tmp_path / "result", test_only=True, **given)
    assert tested["imdb/test/accuracy"] == final["imdb/test/accuracy"]
    assert tested["imdb/test/loss"] == pytest.approx(final["imdb/test/loss"])
    further, _ = train(root, tmp_path / "result", **{**given, "learning_rate": 1e-9, "max_steps": 1})
    assert entry(further)["label_names"] == {"imdb": ONE_ORDER}
    resumed, _ = train(root, tmp_path / "result", resume_from=str(folder.last_checkpoint), max_steps=9)
    assert entry(resumed)["label_names"] == {"imdb": ONE_ORDER}
    write_reviews(root, "test", ["mixed", "positive"])
    with pytest.raises(UserError, match=r"imdb_test\.arrow.* the checkpoint has .*mixed is unknown there"):
        train(root, tmp_path / "result", test_only=True, **given)


def test_a_head_of_as_many_other_classes_begins_anew(trained, tmp_path):
    folder, _ = trained
    for split in ("train", "val"):
        write_reviews(tmp_path / "arrow", split, ["mixed", "positive"])
    further, _ = train(tmp_path / "arrow", tmp_path / "result", load_path=str(folder.best_checkpoint), max_steps=1)
    with further.loaded.open(newline="") as file:
        fates = {row["what"] for row in csv.DictReader(file) if row["part"] == "imdb_head"}
    assert fates == {"new"}
    assert entry(further)["label_names"] == {"imdb": ["mixed", "positive"]}
    with pytest.raises(UserError, match=r"load_modules: imdb_head of .* has the classes .* the data have"):
        train(tmp_path / "arrow", tmp_path / "result", "tiny", max_steps=1,
              load_modules={"imdb_head": str(folder.best_checkpoint)})  # fmt: skip


def test_tables_without_class_names_are_refused_with_the_reason(tmp_path):
    root = write_all(tmp_path / "arrow", ONE_ORDER, ONE_ORDER)
    table = pa.table({"text": ["a", "b"], "label": [0, 1]})
    for split, expected in (("val", "cannot be told apart"), ("train", "the classes|its tables name none")):
        with pa.OSFile(str(root / f"imdb_{split}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        with pytest.raises(UserError, match=expected):
            train(root, tmp_path / "result", "tiny")
