"""The six downstream tasks in whole runs: each on both architectures, on tables whose classes are in any order."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from renaissance.data.tables.table import with_label_names
from tests.training.conftest import Runner

SMALL = {"max_steps": 2, "warmup_steps": 0, "image_size": 32, "num_scenes": 60, "batch_size": 8,
         "per_gpu_batchsize": 8}  # fmt: skip
METRICS = {
    "snli": {"test": {"loss", "accuracy"}},
    "mrpc": {"test": {"loss", "accuracy", "f1"}},
    "nlvr2": {"test1": {"loss", "accuracy"}},
    "ref": {split: {"loss", "accuracy"} for split in ("testA", "testB")},
    "vqa": {},
    "irtr": {"test": {"loss", "accuracy", *(f"{way}_r{most}" for way in ("ir", "tr") for most in (1, 5, 10))}},
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Where sixty scenes lie, in all their tables."""
    return tmp_path_factory.mktemp("drawn")


@pytest.mark.parametrize(
    ("task", "model_type"), [(task, "two-tower") for task in METRICS] + [("irtr", "one-tower"), ("snli", "one-tower")]
)
def test_a_run_trains_validates_tests_and_predicts(drawn, tmp_path, task, model_type, capsys):
    run = Runner(drawn, tmp_path / "result")
    folder, final = run(f"task_finetune_{task}", "scenes", "tiny", model_type=model_type, **SMALL)
    found: dict[str, set[str]] = {}
    for name in final:
        _, split, metric = name.split("/")
        found.setdefault(split, set()).add(metric)
    found.pop("train")
    assert found.pop("val") >= {"loss"}
    assert found == METRICS[task]
    written = {path.stem for path in folder.predictions.glob("*")}
    splits = [*METRICS[task]] or ["test"]
    assert written == (set() if task == "irtr" else {f"{task}_{split}" for split in splits})
    assert (f"\npredictions: {folder.predictions}\n" in capsys.readouterr().out) == bool(written)


def test_words_that_a_checkpoint_cannot_spell_are_remarked_upon(drawn, tmp_path, capsys):
    """Captions know none of the second words for a colour or a shape: "box" has a letter that occurs in none."""
    run = Runner(drawn, tmp_path / "result")
    folder, _ = run("task_mlm", "scenes", "tiny", **SMALL)
    assert "has no pieces for" not in capsys.readouterr().out
    run("task_finetune_mrpc", "scenes", "tiny", load_path=str(folder.best_checkpoint), **SMALL)
    assert "of the first 100 training texts have words that the checkpoint's vocabulary" in capsys.readouterr().out
    run("task_finetune_mrpc", "scenes", "tiny", **SMALL)
    assert "has no pieces for" not in capsys.readouterr().out, "a vocabulary of these texts spells them"


def test_splits_of_other_orders_are_scored_alike(drawn, tmp_path):
    """The validation and test tables of snli with their classes named in another order, and numbered so."""
    run = Runner(drawn, tmp_path / "result")
    given = {**SMALL, "max_steps": 4, "learning_rate": 1e-3}
    folder, final = run("task_finetune_snli", "scenes", "tiny", **given)
    other = tmp_path / "other"
    other.mkdir()
    for path in drawn.glob("scenes_snli_*.arrow"):
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        if not path.stem.endswith("train"):
            names = json.loads(table.schema.metadata[b"label_names"])
            turned = names[1:] + names[:1]
            labels = [[turned.index(names[label]) for label in row] for row in table["labels"].to_pylist()]
            place = table.schema.get_field_index("labels")
            table = table.set_column(place, "labels", pa.array(labels, pa.list_(pa.int64())))
            table = table.replace_schema_metadata(with_label_names(table.schema, turned).metadata)
        with pa.OSFile(str(other / path.name), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    again, same = Runner(other, tmp_path / "result")("task_finetune_snli", "scenes", "tiny", **given)
    assert same == final
    predictions = [one.path / "predictions" / "snli_test.jsonl" for one in (folder, again)]
    assert predictions[0].read_text() == predictions[1].read_text()
