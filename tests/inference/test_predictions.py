"""The predictions that a test leaves are those of the loaded model on the same examples, and what its metrics count."""

from __future__ import annotations

import json

import numpy as np
import pytest

import renaissance
from renaissance.errors import UserError

ROWS = {  # of a table's row: the id, the example and the right answer, for each of its texts
    "snli": lambda row: [
        (name, {"image": row["image"], "text": text}, ("contradiction", "neutral", "entailment")[label])
        for name, text, label in zip(row["sentence_id"], row["sentences"], row["labels"], strict=True)
    ],
    "mrpc": lambda row: [
        (row["text_id"], {"text": row["text_a"], "text_pair": row["text_b"]}, ("different", "same")[row["label"]])
    ],
    "nlvr2": lambda row: [
        (row["identifier"], {"image": row["image_0"], "second_image": row["image_1"], "text": text}, answer)
        for text, answer in zip(row["questions"], row["answers"], strict=True)
    ],
    "ref": lambda row: [
        (row["image_id"], {"image": row["image"], "text": text, "boxes": row["bboxes"]}, row["labels"])
        for text in row["sentences"]
    ],
    "vqa": lambda row: [
        (str(name), {"image": row["image"], "text": text}, None)
        for name, text in zip(row["question_id"], row["questions"], strict=True)
    ],
}
SPLITS = {"snli": "test", "mrpc": "test", "nlvr2": "test1", "ref": "testA", "vqa": "test"}


@pytest.mark.parametrize(
    ("task", "model_type"),
    [(task, "two-tower") for task in ROWS] + [("mrpc", "one-tower"), ("nlvr2", "one-tower"), ("ref", "one-tower")],
)
def test_a_tests_predictions_are_the_loaded_models(run, trained, rows, task, model_type):
    checkpoint, split = trained(f"task_finetune_{task}", model_type=model_type), SPLITS[task]
    given = {"load_path": str(checkpoint), "test_only": True, "eval_batch_size": 3, "image_size": 64}
    folder, final = run(f"task_finetune_{task}", "scenes", **given)
    lines = (folder.path / "predictions" / f"{task}_{split}.jsonl").read_text("utf-8").splitlines()
    written = [json.loads(line) for line in lines]
    examples = [example for row in rows(f"scenes_{task}_{split}") for example in ROWS[task](row)]
    assert [row["id"] for row in written] == [name for name, _, _ in examples]
    answers = renaissance.load(checkpoint).predict([one for _, one, _ in examples], task=task, batch_size=7)
    for answer, row in zip(answers, written, strict=True):
        assert answer["answer"] == row["answer"]
        assert answer["probabilities"] == pytest.approx(row["probabilities"], abs=1e-5)
    if task == "vqa":
        assert not any(name.startswith("vqa/test/") for name in final), "a server has the answers"
    else:
        right = [answer["answer"] == wanted for answer, (_, _, wanted) in zip(answers, examples, strict=True)]
        assert np.mean(right) == pytest.approx(final[f"{task}/{split}/accuracy"], abs=1e-6)


def test_what_each_task_needs_is_said(trained):
    needed = {"mrpc": ["text", "text_pair"], "nlvr2": ["image", "second_image", "text"],
              "ref": ["image", "text", "boxes"]}  # fmt: skip
    for task, fields in needed.items():
        model = renaissance.load(trained(f"task_finetune_{task}", model_type="two-tower"))
        assert [given.field for given in model.inputs[task]] == fields


@pytest.mark.parametrize("boxes", [[], [[1, 2, 3]], [[0, 0, 0, 5]], [[0, 0, float("nan"), 5]], ["abcd"]])
def test_boxes_that_are_none_are_named(trained, rows, boxes):
    model = renaissance.load(trained("task_finetune_ref", model_type="two-tower"))
    image = rows("scenes_ref_testA")[0]["image"]
    with pytest.raises(UserError, match=r"examples\[0\]\['boxes'\]: is .*; give a list of boxes"):
        model.predict([{"image": image, "text": "the left one", "boxes": boxes}])


def test_a_second_picture_that_cannot_be_read_is_named(trained, rows):
    model = renaissance.load(trained("task_finetune_nlvr2", model_type="two-tower"))
    image = rows("scenes_nlvr2_test1")[0]["image_0"]
    with pytest.raises(UserError, match=r"examples\[0\]\['second_image'\]: the image cannot be read"):
        model.predict([{"image": image, "second_image": b"none", "text": "both are the same"}])
