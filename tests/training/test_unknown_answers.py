"""Examples without an answer: in training they teach nothing, in a test they are predicted, one by one in order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from renaissance.data.batches.order import TrainOrder
from renaissance.errors import UserError
from tests.command_line import execute, final_metrics
from tests.training.conftest import Runner

TWO_DEVICES = Path(__file__).with_name("two_devices.py")

PAIRS = 24
UNKNOWN = [4, 5, 6, 7, 12, 17, 18, 23]  # every batch of the order has others; a whole batch of four is among them
SETTINGS = {"warmup_steps": 0, "learning_rate": 1e-2, "optim_type": "sgd", "max_text_len": 12, "log_interval": 1,
            "batch_size": 24, "per_gpu_batchsize": 24, "text_encoder_drop_rate": 0.0, "cross_layer_drop_rate": 0.0,
            "momentum": 0, "min_frequency": 1}  # fmt: skip


def write(root: Path, split: str, labels: list[int | None], **columns: list[object]) -> Path:
    """A table of pairs, each of other words, with a label or without."""
    root.mkdir(exist_ok=True)
    numbers = range(len(labels))
    table = {
        "text_a": [f"the {'abcdefgh'[number % 8]} is {number % 3}" for number in numbers],
        "text_b": [f"{'abcdefgh'[number % 5]} was there" for number in numbers],
        "label": pa.array(labels, pa.int64()),
        "text_id": [f"pair {number}" for number in numbers],
        **columns,
    }
    path = root / f"scenes_mrpc_{split}.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, (found := pa.table(table)).schema) as writer:
        writer.write_table(found)
    return path


def labels(without: int | None = None) -> list[int | None]:
    """Classes of the pairs; of some of them `without`."""
    return [without if number in UNKNOWN else number % 2 for number in range(PAIRS)]


@pytest.fixture
def root(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path / "arrow", split, labels())
    return tmp_path / "arrow"


def train(root: Path, log_dir: Path, **settings):
    return Runner(root, log_dir)("task_mlm", "scenes", "tiny", **{
        **SETTINGS, "loss_names": {"mrpc": 1, "mlm": 0, "itm": 0}, "max_steps": 1, **settings})  # fmt: skip


def weights(folder):
    return torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]


@pytest.mark.parametrize("device_batch", [24, 4])
def test_a_step_is_the_mean_over_the_examples_that_have_answers(root, tmp_path, monkeypatch, device_batch):
    """As if the others were not there, however the step is cut: one of its batches has no answer at all."""
    monkeypatch.setattr(TrainOrder, "_permutation", lambda self, epoch: np.arange(self._examples))
    write(root, "train", labels(None))
    folder, final = train(root, tmp_path / "all", per_gpu_batchsize=device_batch)
    table = pa.ipc.open_file(str(root / "scenes_mrpc_train.arrow")).read_all()
    kept = table.filter(table["label"].is_valid()).to_pydict()
    write(root, "train", kept.pop("label"), **kept)
    words = {"vocab_file": str(folder.vocabulary)}
    reference, expected = train(root, tmp_path / "known", **words, batch_size=16, per_gpu_batchsize=16)
    assert final == pytest.approx(expected, rel=1e-4)
    ours, theirs = weights(folder), weights(reference)
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=2e-6, msg=name)


def test_mixed_with_an_example_without_an_answer_one_counts_by_its_own_share(root, tmp_path):
    """Nothing is taken for the class 0."""
    write(root, "train", [None if number % 2 == 0 else 1 for number in range(PAIRS)])
    _, final = train(root, tmp_path / "result", mixing_alpha=1.0, max_steps=30)
    assert final["mrpc/test/accuracy"] == 0.5, "all that was ever learnt is the class 1"
    assert final["mrpc/test/f1"] == pytest.approx(2 / 3)


def test_a_training_split_without_any_answer_is_refused(root, tmp_path):
    write(root, "train", [-1] * PAIRS)
    with pytest.raises(UserError, match=r"scenes_mrpc_train\.arrow has no answers \(label\).*mrpc"):
        train(root, tmp_path / "result")


@pytest.mark.parametrize("unknown", [None, -1])
@pytest.mark.parametrize("batch", [24, 5])
def test_a_split_is_judged_by_its_answers_and_predicted_as_a_whole(root, tmp_path, unknown, batch):
    write(root, "test", labels(unknown))
    folder, final = train(root, tmp_path / "result", eval_batch_size=batch)
    rows = [json.loads(line) for line in (folder.path / "predictions" / "mrpc_test.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"pair {number}" for number in range(PAIRS)]
    names = ["different", "same"]
    right = [row["answer"] == names[label] for row, label in zip(rows, labels(), strict=True) if label is not None]
    assert final["mrpc/test/accuracy"] == pytest.approx(np.mean(right))
    losses = [-np.log(row["probabilities"][names[label]])
              for row, label in zip(rows, labels(), strict=True) if label is not None]  # fmt: skip
    assert final["mrpc/test/loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert ["values" in row for row in rows] == [label is not None for label in labels()]
    values = [row["values"] for row in rows if "values" in row]
    assert [value["accuracy"] for value in values] == right
    assert [value["loss"] for value in values] == pytest.approx(losses, rel=1e-4, abs=1e-5)


def test_a_split_without_answers_gives_predictions_and_no_metrics(root, tmp_path):
    write(root, "test", [None] * PAIRS)
    folder, final = train(root, tmp_path / "result")
    assert not [name for name in final if "/test/" in name]
    assert len((folder.path / "predictions" / "mrpc_test.jsonl").read_text().splitlines()) == PAIRS


@pytest.mark.slow
def test_two_devices_judge_and_predict_as_one(root, tmp_path):
    """Of the first batches one device has no answer at all; it takes part in adding up all the same."""
    write(root, "test", [None] * 4 + [number % 2 for number in range(4, 8)])
    folder, final = train(root, tmp_path / "result")
    settings = [f"data_root={root}", f"log_dir={tmp_path}/two", "num_gpus=0", "num_workers=0", "eval_batch_size=4"]
    tested = ["with", "scenes", "loss_names.mrpc=1", "test_only=True", f"load_path={folder.best_checkpoint}"]
    together = final_metrics(execute(*tested, *settings, program=TWO_DEVICES))
    assert together == pytest.approx({name: value for name, value in final.items() if "/test/" in name}, rel=1e-4)
    (other,) = (tmp_path / "two").glob("*/1/predictions/mrpc_test.jsonl")
    one, two = ([json.loads(line) for line in path.read_text().splitlines()]
                for path in (folder.path / "predictions" / "mrpc_test.jsonl", other))  # fmt: skip
    assert [row["id"] for row in one] == [row["id"] for row in two]
    assert [row["answer"] for row in one] == [row["answer"] for row in two]
