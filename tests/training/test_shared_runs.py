"""Tasks that read different data in one run: MLM on captioned images beside IMDB's question on texts."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pytest
import torch

from renaissance.data.preparing.prepare import prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.errors import UserError
from renaissance.tasks.common.task import Task
from renaissance.tracking.metrics import read_points
from renaissance.training.module import TrainingModule
from tests.training.interrupting import run_whole_and_broken, stop_at

BOTH = {"loss_names": {"mlm": 1, "imdb": 1, "itm": 0}}
QUICK = {"warmup_steps": 0, "learning_rate": 1e-3, "log_interval": 1, "num_samples": 0,
         "batch_size": 16, "per_gpu_batchsize": 8}  # fmt: skip
NAMED = ("task_mlm", "scenes", "tiny")


@pytest.fixture
def seen(monkeypatch):
    """The training batches in their order: schema, examples, and the items of the step's losses by task."""
    batches = []
    step = TrainingModule.training_step

    def noting(self, batch, batch_idx):
        items = {name: int(count) for name, count in batch.step_items.items()}
        batches.append((batch.schema, batch.index.tolist(), items))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", noting)
    return batches


def steps_of(folder, name):
    return [point.step for point in read_points(folder.metrics)[name]]


@pytest.mark.parametrize("model", [(), ("onetower_electra",)])
def test_an_interrupted_and_resumed_run_equals_one_that_ran_through(run, model):
    """With accumulation, within an epoch, and the rest of it with workers."""
    settings = {
        **QUICK,
        **BOTH,
        "max_steps": 9,
        "log_interval": 2,
        "val_check_interval": 3,
        "cross_layer_drop_rate": 0.2,
    }
    named = ("task_mlm", "scenes", "tiny", *model)
    whole, broken = run_whole_and_broken(
        run, *named, stop=stop_at(4, "imdb/train/loss"), resumed_with={"num_workers": 2}, **settings
    )
    assert broken.metrics.read_bytes() == whole.metrics.read_bytes()
    weights = [torch.load(one.last_checkpoint, weights_only=True)["state_dict"] for one in (whole, broken)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_step_takes_whole_batches_of_one_data_and_counts_the_items_of_each_task(run, seen):
    run(*NAMED, **QUICK, **BOTH, max_steps=6)
    schemas = [schema for schema, *_ in seen]
    assert schemas == ["imdb", "imdb", "caption", "caption"] * 3, "two batches make a step"
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert first[2] == second[2], "the step's items, of all its batches"
        (task,) = first[2]
        assert task == {"caption": "mlm", "imdb": "imdb"}[first[0]]
        assert (first[2][task] == 16) is (task == "imdb"), "examples, or hidden words"


def test_shares_change_the_mix_and_the_epoch(run, seen):
    folder, _ = run(*NAMED, **QUICK, **BOTH, step_shares={"imdb": 3}, max_steps=8)
    schemas = [schema for schema, *_ in seen[::2]]
    assert (schemas.count("imdb"), schemas.count("caption")) == (6, 2)
    # 100 captioned images with 2 texts each make 12 steps, 50 texts 3: those of a quarter of the steps take longest.
    rows = list(csv.DictReader(folder.metrics.open(newline="")))
    assert float(rows[-1]["epoch"]) == pytest.approx(8 / (12 * 4), abs=1e-6)
    assert steps_of(folder, "mlm/train/loss") == [step for step, schema in enumerate(schemas, 1) if schema == "caption"]


def test_an_epoch_ends_when_the_data_that_take_longest_were_seen_once(run, seen):
    run(*NAMED, **{**QUICK, "batch_size": 8}, **BOTH, max_epoch=1)
    captions = [index for schema, indices, _ in seen if schema == "caption" for index in indices]
    assert sorted(captions) == list(range(200))
    assert len(seen) == 50


def test_shares_of_data_that_no_task_reads_are_refused(run):
    with pytest.raises(UserError, match=r"step_shares names captions, and the tasks read imdb, caption"):
        run(*NAMED, **QUICK, **BOTH, step_shares={"captions": 2}, max_steps=1)


def test_a_data_set_that_no_task_reads_is_named(run, capsys):
    run("task_finetune_vqa", "tiny", datasets=["scenes", "cifar10"], **QUICK, max_steps=1)
    assert "datasets: nothing is read of cifar10: no vqa examples" in capsys.readouterr().out
    run("task_finetune_vqa", "scenes", "tiny", **QUICK, max_steps=1)
    assert "nothing is read of" not in capsys.readouterr().out


def test_what_such_a_run_leaves_is_fine_tuned_and_tested(run):
    folder, final = run(*NAMED, **QUICK, **BOTH, max_steps=4)
    assert {"mlm/test/loss", "imdb/test/accuracy", "imdb/train/loss"} <= set(final)
    entry = torch.load(folder.last_checkpoint, weights_only=True)["renaissance"]
    assert entry["label_names"] == {"imdb": ["no circle", "circle"]}
    best = str(folder.best_checkpoint)
    _, tested = run("task_finetune_imdb", "scenes", load_path=best, test_only=True)
    assert tested == {name: pytest.approx(final[name], rel=1e-5) for name in ("imdb/test/loss", "imdb/test/accuracy")}
    _, both = run(*NAMED, **BOTH, load_path=best, test_only=True)
    assert both == {name: pytest.approx(value, rel=1e-5) for name, value in final.items() if "/test/" in name}
    further, _ = run("task_finetune_imdb", "scenes", **QUICK, load_path=best, max_steps=1)
    with further.loaded.open(newline="") as file:
        fates = {row["what"] for row in csv.DictReader(file) if row["part"] in ("text_encoder", "imdb_head")}
    assert fates == {"loaded"}


def test_the_vocabulary_is_of_the_texts_of_all_data(run, make_settings, tmp_path):
    settings = make_settings(data_root=str(run.data_root), num_scenes=120)
    prepare_data_set(data_sets()["scenes"], settings, processes=1, schemas=("caption",))
    for split in ("train", "val"):
        table = pa.table({"text": ["zebra quagga okapi"] * 20, "label": [0, 1] * 10})
        table = table.replace_schema_metadata({b"label_names": b'["a", "b"]'})
        with pa.OSFile(str(tmp_path / f"imdb_{split}.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table)
        (tmp_path / f"pictures_{split}.arrow").symlink_to(run.data_root / f"scenes_{split}.arrow")
    settings = {**QUICK, **BOTH, "max_steps": 1, "min_frequency": 1, "data_root": str(tmp_path)}
    folder, _ = run("task_mlm", "tiny", datasets=["pictures", "imdb"], **settings)
    words = json.loads(folder.vocabulary.read_text())
    assert {"zebra", "circle"} <= set(words)


def test_every_batch_goes_to_the_tasks_that_read_it(run, monkeypatch):
    taken = []
    takes = Task.takes

    def noting(self, batch):
        result = takes(self, batch)
        if result:
            taken.append((self.name, batch.schema))
        return result

    monkeypatch.setattr(Task, "takes", noting)
    run(*NAMED, **QUICK, loss_names={"mlm": 1, "itm": 1, "imdb": 1, "cifar10": 1}, max_steps=3)
    assert set(taken) == {("mlm", "caption"), ("itm", "caption"), ("imdb", "imdb"), ("cifar10", "cifar10")}
