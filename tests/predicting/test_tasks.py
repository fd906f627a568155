"""Every task of a file of examples with known answers: what `Model.predict` says of each, and the metrics.

References: `Model.predict` on one example at a time, and scikit-learn or the formula on its answers.
"""

from __future__ import annotations

import csv
import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

import renaissance

# by task: the table, and the fields by its columns
TABLES = {
    "ref": ("scenes_ref_val", {"image": "image", "text": "sentences", "boxes": "bboxes"}),
    "nlvr2": ("scenes_nlvr2_val", {"image": "image_0", "second_image": "image_1", "text": "questions"}),
    "snli": ("scenes_snli_val", {"image": "image", "text": "sentences"}),
    "mrpc": ("scenes_mrpc_val", {"text": "text_a", "text_pair": "text_b"}),
    "vqa": ("scenes_vqa_val", {"image": "image", "text": "questions"}),
}  # fmt: skip
ROWS = 8
KINDS = ("csv", "jsonl", "parquet", "arrow")


def examples_of(table, fields):
    """One example a text, as plain Python: its fields, and the rest of its row with the values of that text."""
    found = []
    for row in table[:ROWS]:
        texts = row[fields["text"]]
        several = isinstance(texts, list)
        for number, text in enumerate(texts if several else [texts]):
            of_text = {name: value[number] if several and isinstance(value, list) and len(value) == len(texts)
                       and name not in ("bboxes",) else value for name, value in row.items()}  # fmt: skip
            example = {field: text if field == "text" else row[column] for field, column in fields.items()}
            found.append((example, of_text))
    return found


def write(path, rows):
    """Write rows as a file of the kind that the path's ending says; images of texts' files are files beside it."""
    if path.suffix in (".csv", ".jsonl"):
        named = []
        for number, row in enumerate(rows):
            for name, value in row.items():
                if isinstance(value, bytes):
                    (path.parent / f"{path.stem}-{number}-{name}.png").write_bytes(value)
            named.append({name: f"{path.stem}-{number}-{name}.png" if isinstance(value, bytes) else value
                          for name, value in row.items()})  # fmt: skip
        if path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in named), encoding="utf-8")
            return
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(named[0]))
            writer.writeheader()
            writer.writerows({name: json.dumps(value) if isinstance(value, list) else value
                              for name, value in row.items()} for row in named)  # fmt: skip
        return
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=3)
        return
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)


def summary_of(path):
    return json.loads(path.with_name(path.name + ".summary.json").read_text())


@pytest.fixture
def case(request, trained, rows):
    """A task's checkpoint, its table's examples, and the answers of the model to each alone."""
    name = request.param
    checkpoint = trained(f"task_finetune_{name}")
    table, fields = TABLES[name]
    examples = examples_of(rows(table), fields)
    model = renaissance.load(checkpoint)
    answers = [model.predict([example], task=name)[0] for example, _ in examples]
    return name, checkpoint, examples, answers, model.label_names.get(name)


def metrics_of(name, examples, answers, classes):
    """The metrics, by scikit-learn or by their formula."""
    if name == "vqa":
        scores = [dict(zip(row["answer_labels"], row["answer_scores"], strict=True)) for _, row in examples]
        found = [classes.index(answer["answer"]) for answer in answers]
        return {"vqa/score": sum(own.get(one, 0.0) for own, one in zip(scores, found, strict=True)) / len(found)}
    column = {"nlvr2": "answers", "mrpc": "label"}.get(name, "labels")
    wanted = [row[column] for _, row in examples]
    if name == "ref":
        losses = [-math.log(answer["probabilities"][one]) for answer, one in zip(answers, wanted, strict=True)]
        found = [answer["answer"] for answer in answers]
        return {"ref/accuracy": accuracy_score(wanted, found), "ref/loss": sum(losses) / len(losses)}
    wanted = [classes.index(one) if isinstance(one, str) else one for one in wanted]
    found = [classes.index(answer["answer"]) for answer in answers]
    shares = [[answer["probabilities"][one] for one in classes] for answer in answers]
    metrics = {f"{name}/accuracy": accuracy_score(wanted, found),
               f"{name}/loss": log_loss(wanted, shares, labels=range(len(classes)))}  # fmt: skip
    return metrics | ({"mrpc/f1": f1_score(wanted, found)} if name == "mrpc" else {})


@pytest.mark.parametrize("case", TABLES, indirect=True)
def test_every_kind_of_file_gets_the_answers_and_the_metrics(case, rows, predicted, tmp_path):
    name, checkpoint, examples, answers, classes = case
    wanted = metrics_of(name, examples, answers, classes)
    for kind in KINDS:
        write(tmp_path / f"in.{kind}", [{**row, **{TABLES[name][1]["text"]: one["text"]}} for one, row in examples])
        path = predicted(checkpoint, tmp_path / f"in.{kind}", f"{kind}.jsonl")
        found = [json.loads(line)[name] for line in path.read_text().splitlines()]
        assert [one["answer"] for one in found] == [one["answer"] for one in answers], kind
        for one, other in zip(found, answers, strict=True):
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5), kind
        summary = summary_of(path)
        assert summary["with_known_answers"] == {name: len(examples)}, kind
        metrics = summary["metrics"]
        assert {key: metrics[key] for key in wanted} == pytest.approx(wanted, abs=1e-5), kind


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def rejected_of(path):
    with path.with_name(path.name + ".rejected.csv").open(newline="", encoding="utf-8") as file:
        return [(int(row["row"]), row["field"], row["reason"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("case", ["vqa"], indirect=True)
def test_an_answer_that_the_model_does_not_know_costs_no_question(case, predicted, tmp_path, capsys):
    name, checkpoint, examples, answers, classes = case
    (tmp_path / "a.png").write_bytes(examples[0][0]["image"])
    likeliest = answers[0]["answer"]
    other = next(one for one in classes if one != likeliest)
    fields = {"image": "a.png", "text": examples[0][0]["text"]}
    known = [
        (["no such answer", likeliest, other], [1.0, 0.6, 0.3]),  # 0.6: the score stays with its answer
        ([other, "no such answer"], [1.0, 0.3]),  # 0
        (likeliest, 0.9),  # a single one
        (["no such answer"], [1.0]),  # nothing is known
        ([], []),
        ([likeliest], [0.9, 0.3]),
        ([likeliest], ["much"]),
        ([likeliest], [1e400]),
        ([likeliest], [10**400]),
        ([likeliest], [-1]),
    ]
    lines = [json.dumps({**fields, "answers": one, "scores": score}) for one, score in known]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    path = predicted(checkpoint, tmp_path / "in.jsonl", "out.jsonl", task=name, max_rejected_fraction=0.6)
    assert summary_of(path)["metrics"]["vqa/score"] == pytest.approx((0.6 + 0.0 + 0.9) / 3)
    assert summary_of(path)["with_known_answers"] == {"vqa": 3}
    assert [line["row"] for line in lines_of(path)] == [0, 1, 2, 3, 4]
    assert rejected_of(path)[0] == (5, "answers", "the example has 1 answers and 2 scores")
    assert [field for _, field, _ in rejected_of(path)] == ["answers", *["scores"] * 4]
    assert "answers: 3 values are none of the classes, such as 'no such answer'" in capsys.readouterr().out
    (tmp_path / "half.jsonl").write_text(json.dumps({**fields, "answers": [likeliest]}))
    predicted(checkpoint, tmp_path / "half.jsonl", "half.csv")
    assert "vqa: no metrics, for" in capsys.readouterr().out


def test_lists_that_do_not_go_with_the_texts_are_no_guess(trained, predicted, tmp_path):
    checkpoint = trained("task_finetune_mrpc")
    pairs = [("a red circle", "a circle"), ("a blue square", "two things")]
    model = renaissance.load(checkpoint)
    answers = model.predict([{"text": one, "text_pair": other} for one, other in pairs], task="mrpc")
    first, second = (list(texts) for texts in zip(*pairs, strict=True))
    rows = [
        {"text": first, "text_pair": second},  # as many texts as pairs
        {"text": first, "text_pair": [*second, "one more"]},
        {"text": "a red circle", "text_pair": second},
        {"text": {"language": "en", "words": "a red circle"}, "text_pair": "a circle"},
        {"text": [{"language": "en", "words": "a red circle"}], "text_pair": "a circle"},
        {"text": [{"number": 3, "words": "a red circle"}], "text_pair": "a circle"},
        {"text": "a red circle", "text_pair": "a circle", "label": [0, 1]},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = predicted(checkpoint, tmp_path / "in.jsonl", "out.jsonl", max_rejected_fraction=0.9)
    found = {(line["row"], line["item"]): line["mrpc"]["probabilities"] for line in lines_of(path)}
    assert list(found) == [(0, 0), (0, 1), (5, 0), (6, None)]
    for place, answer in (((0, 0), 0), ((0, 1), 1), ((5, 0), 0), ((6, None), 0)):
        assert found[place] == pytest.approx(answers[answer]["probabilities"], abs=1e-5)
    assert [(row, field) for row, field, _ in rejected_of(path)] == [
        (1, "text_pair"), (1, "text_pair"), (2, "text_pair"), (3, "text"), (4, "text"),
    ]  # fmt: skip
    assert summary_of(path)["unknown_labels"] == {"label": 1}


def test_boxes_that_no_picture_has_are_rejected(trained, rows, predicted, tmp_path):
    checkpoint = trained("task_finetune_ref")
    (tmp_path / "a.png").write_bytes(rows("scenes_ref_val")[0]["image"])
    boxes = ["[[1, 2, 30, 30]]", "[[0, 0, 1e400, 1]]", f"[[0, 0, {10**400}, 1]]", "[[0, 0, 1e300, 1e300]]",
             "[[0, 0, -3, 1]]", "[]", "[[0, 0, 1]]", '[[0, 0, "3", 4]]', "{}", "3", "null",
             "[[NaN, 0, 3, 4]]"]  # fmt: skip
    lines = [f'{{"image": "a.png", "text": "the circle", "boxes": {one}}}' for one in boxes]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    path = predicted(checkpoint, tmp_path / "in.jsonl", "out.jsonl", max_rejected_fraction=0.99)
    assert [line["ref"]["answer"] for line in lines_of(path)] == [0]
    assert [(row, field) for row, field, _ in rejected_of(path)] == [(n, "boxes") for n in range(1, len(boxes))]
