"""`predict`: what a file gets is what `Model.predict` says of its rows, in their order, whatever file it is."""

from __future__ import annotations

import csv
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import renaissance
from renaissance.errors import UserError

TEXTS = ["a red circle, and a blue square", 'she said "red"', "two lines\nof text", "a", "a green triangle " * 40]


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(path, header, lines, encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([header, *lines])
    return path


def first_probabilities(rows):
    name = next(name for name in rows[0] if name.startswith("imdb_probability_"))
    return [float(row[name]) for row in rows]


@pytest.fixture
def imdb(trained):
    return trained("task_finetune_imdb")


@pytest.fixture
def expected(imdb):
    answers = renaissance.load(imdb).predict([{"text": text} for text in TEXTS], task="imdb")
    names = renaissance.load(imdb).label_names["imdb"]
    return answers, names


def test_every_kind_of_file_gets_the_answers_of_the_model(imdb, expected, predicted, tmp_path):
    answers, names = expected
    ids = ["001", "001", "003", "004", "005"]  # numbers that are no numbers, and one that is there twice
    write_csv(tmp_path / "in.csv", ("id", "text"), zip(ids, TEXTS, strict=True), "utf-8-sig")
    lines = [json.dumps({"id": one, "text": text}) for one, text in zip(ids, TEXTS, strict=True)]
    (tmp_path / "in.jsonl").write_text("\n\n".join(lines) + "\n")
    table = pa.table({"id": ids, "text": TEXTS})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=2)
    with pa.OSFile(str(tmp_path / "in.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    for kind in ("csv", "jsonl", "parquet", "arrow"):
        rows = read(predicted(imdb, tmp_path / f"in.{kind}", f"{kind}.csv"))
        assert list(rows[0]) == ["row", "id", "imdb_answer", *(f"imdb_probability_{name}" for name in names)]
        assert [(row["row"], row["id"]) for row in rows] == [(str(n), one) for n, one in enumerate(ids)], kind
        assert [row["imdb_answer"] for row in rows] == [answer["answer"] for answer in answers]
        for name in names:
            found = [float(row[f"imdb_probability_{name}"]) for row in rows]
            assert found == pytest.approx([answer["probabilities"][name] for answer in answers], abs=1e-5)
    for kind in ("jsonl", "parquet", "arrow"):
        path = predicted(imdb, tmp_path / "in.csv", f"out.{kind}")
        if kind == "jsonl":
            found = [json.loads(line) for line in path.read_text().splitlines()]
            assert [(row["row"], row["id"]) for row in found] == list(enumerate(ids))
            probabilities = [row["imdb"]["probabilities"][names[0]] for row in found]
        else:
            whole = pq.read_table(path) if kind == "parquet" else pa.ipc.open_file(path.read_bytes()).read_all()
            assert whole["id"].to_pylist() == ids
            assert whole["row"].to_pylist() == [0, 1, 2, 3, 4]
            probabilities = whole[f"imdb_probability_{names[0]}"].to_pylist()
        assert probabilities == pytest.approx([answer["probabilities"][names[0]] for answer in answers], abs=1e-5)


def test_a_bad_row_is_listed_and_costs_no_other(imdb, predicted, tmp_path):
    lines = ["id,text", "0,good", "1,too,many", '2,"open', "3,good again", "4,", '5,"two\nlines"', "6,caf\\xe9"]
    data = "\n".join(lines).encode().replace(b"\\xe9", b"\xe9")
    (tmp_path / "in.csv").write_bytes(data + b"\n")
    output = predicted(imdb, tmp_path / "in.csv", max_rejected_fraction=0.9)
    assert [row["id"] for row in read(output)] == ["0", "3", "5"]
    rejected = read(tmp_path / "answers.csv.rejected.csv")
    assert [(row["row"], row["field"], row["where"]) for row in rejected] == [
        ("1", "", "line 3"), ("2", "", "line 4"), ("4", "text", "line 6"), ("6", "", "line 9"),
    ]  # fmt: skip
    assert "0xe9" in rejected[-1]["reason"]
    broken = ['{"text": "good"}', "{", '{"text": NaN}', '{"text": null}', '{"other": 1}', '{"text": "\\ud800"}']
    (tmp_path / "in.jsonl").write_text("\n".join(broken) + "\n")
    output = predicted(imdb, tmp_path / "in.jsonl", "lines.csv", max_rejected_fraction=0.9)
    assert [row["row"] for row in read(output)] == ["0"]
    reasons = [row["reason"] for row in read(tmp_path / "lines.csv.rejected.csv")]
    said = ["no JSON", "type float", "is missing", "is missing", "surrogate"]
    assert all(word in reason for word, reason in zip(said, reasons, strict=True))


def test_too_many_bad_rows_are_an_error_that_loses_nothing(imdb, predicted, tmp_path, capsys):
    source = write_csv(tmp_path / "in.csv", ("text",), [("good",), ("",), ("good",)])
    with pytest.raises(UserError, match=r"1 of 3 rows cannot be used.*row 1: text \(is empty\)"):
        predicted(imdb, source, max_rejected_fraction=0.1)
    assert (tmp_path / "answers.csv.rejected.csv").exists()
    assert not (tmp_path / "answers.csv").exists()
    output = predicted(imdb, source, max_rejected_fraction=0.5)
    assert "going on from row 3" in capsys.readouterr().out
    assert [row["row"] for row in read(output)] == ["0", "2"]
    assert not (tmp_path / "answers.csv.partial").exists()


def test_rows_that_were_mended_are_predicted_anew(imdb, predicted, tmp_path):
    write_csv(tmp_path / "in.csv", ("text",), [("good",), ("",)])
    with pytest.raises(UserError, match=r"mend the rows, delete both files, and run it again"):
        predicted(imdb, tmp_path / "in.csv")
    source = write_csv(tmp_path / "in.csv", ("text",), [("good",), ("better",)])
    for kind in ("partial", "rejected.csv"):
        (tmp_path / f"answers.csv.{kind}").unlink()
    assert len(read(predicted(imdb, source))) == 2


def test_a_finished_output_is_never_overwritten(imdb, predicted, tmp_path):
    source = write_csv(tmp_path / "in.csv", ("text",), [("good",)])
    before = predicted(imdb, source).read_bytes()
    with pytest.raises(UserError, match="is there already"):
        predicted(imdb, source)
    assert (tmp_path / "answers.csv").read_bytes() == before


def test_nothing_in_is_nothing_out(imdb, predicted, tmp_path):
    output = predicted(imdb, write_csv(tmp_path / "in.csv", ("text", "id"), []))
    assert read(output) == []
    assert json.loads((tmp_path / "answers.csv.summary.json").read_text())["rows"] == 0


def test_our_own_tables_are_read_and_judged_as_a_test_does(run, trained, scenes_root, predicted, tmp_path):
    checkpoint = trained("task_finetune_imdb")
    _, final = run("task_finetune_imdb", "scenes", load_path=str(checkpoint), test_only=True)
    predicted(checkpoint, scenes_root / "scenes_imdb_test.arrow")
    metrics = json.loads((tmp_path / "answers.csv.summary.json").read_text())["metrics"]
    assert metrics["imdb/accuracy"] == pytest.approx(final["imdb/test/accuracy"], abs=1e-6)
    assert metrics["imdb/loss"] == pytest.approx(final["imdb/test/loss"], rel=1e-5)
    assert (tmp_path / "answers.csv.imdb_confusion.png").exists()


def test_classes_are_known_by_their_names_and_what_is_none_is_said(imdb, expected, predicted, tmp_path, capsys):
    answers, names = expected
    found = [answer["answer"] for answer in answers]
    other = {names[0]: names[1], names[1]: names[0]}
    right = [found[0], other[found[1]], str(names.index(found[2])), "", "nonsense"]
    source = write_csv(tmp_path / "in.csv", ("review", "stars"), zip(TEXTS, right, strict=True))
    predicted(imdb, source, columns={"review": "text", "stars": "label"})
    summary = json.loads((tmp_path / "answers.csv.summary.json").read_text())
    assert summary["metrics"]["imdb/accuracy"] == pytest.approx(2 / 3)
    assert summary["with_known_answers"] == {"imdb": 3}
    assert "stars: 1 values are none of the classes, such as 'nonsense'" in capsys.readouterr().out
    turned = pa.table({"text": TEXTS, "label": [0] * 5})  # class 0 of this table is the model's class 1
    turned = turned.replace_schema_metadata({b"label_names": json.dumps(names[::-1]).encode()})
    pq.write_table(turned, tmp_path / "turned.parquet")
    predicted(imdb, tmp_path / "turned.parquet", "turned.csv")
    metrics = json.loads((tmp_path / "turned.csv.summary.json").read_text())["metrics"]
    assert metrics["imdb/accuracy"] == pytest.approx(found.count(names[1]) / 5)


def test_images_are_found_from_the_input_and_a_damaged_one_is_listed(trained, rows, predicted, tmp_path):
    checkpoint = trained("task_finetune_cifar10")
    images = [row["image"] for row in rows("scenes_cifar10_test")[:5]]
    folder = tmp_path / "images" / "below"
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        (folder / f"{number}.png").write_bytes(image)
    (folder / "2.png").write_bytes(images[2][:100])
    (folder / "notes.txt").touch()
    answers = renaissance.load(checkpoint).predict([{"image": image} for image in images], task="cifar10")
    names = write_csv(tmp_path / "in.csv", ("image",), [(f"images/below/{n}.png",) for n in (0, 1, 2, 3, 4, 9)])
    for source, name in ((tmp_path / "images", "a.csv"), (names, "b.csv")):
        found = read(predicted(checkpoint, source, name, max_rejected_fraction=0.5))
        assert [row["row"] for row in found] == ["0", "1", "3", "4"]
        assert [row["cifar10_answer"] for row in found] == [answers[n]["answer"] for n in (0, 1, 3, 4)]
    assert [row["file"] for row in read(tmp_path / "a.csv")] == [f"below/{n}.png" for n in (0, 1, 3, 4)]
    faults = [(row["row"], row["field"]) for row in read(tmp_path / "b.csv.rejected.csv")]
    assert faults == [("2", "image"), ("5", "image")]


def test_rows_with_several_texts_are_as_many_examples(pretrained, rows, scenes_root, predicted):
    found = read(predicted(pretrained(), scenes_root / "scenes_test.arrow", task="itm"))
    table = rows("scenes_test")
    assert [(int(row["row"]), int(row["item"])) for row in found] == [
        (number, item) for number, row in enumerate(table) for item in range(len(row["caption"]))
    ]
    last = {"image": table[-1]["image"], "text": table[-1]["caption"][-1]}
    (answer,) = renaissance.load(pretrained()).predict([last], task="itm")
    assert float(found[-1]["itm_match"]) == pytest.approx(answer["match"], abs=1e-5)


def test_workers_and_batches_change_nothing(imdb, predicted, tmp_path):
    texts = [(f"a red circle {'and a square ' * (n % 7)}",) for n in range(60)]
    source = write_csv(tmp_path / "in.csv", ("text",), texts)
    one = read(predicted(imdb, source, "one.csv", eval_batch_size=1))
    other = read(predicted(imdb, source, "other.csv", eval_batch_size=7, num_workers=2))
    assert [row["row"] for row in one] == [row["row"] for row in other] == [str(n) for n in range(60)]
    assert first_probabilities(one) == pytest.approx(first_probabilities(other), abs=1e-5)


MISTAKES = {
    "no such column": ({"columns": {"reveiw": "text"}}, "no column 'reveiw'"),
    "no such field": ({"columns": {"review": "txt"}}, "cannot be 'txt'"),
    "nothing to read": ({}, r"none of what this model's tasks read:\n  imdb needs text\nIts columns are review"),
    "no such kept column": ({"columns": {"review": "text"}, "keep": ["id"]}, "keep: .* has no column 'id'"),
    "no such task": ({"task": "vqa"}, "task='vqa': this model was trained on imdb"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(imdb, predicted, tmp_path, mistake):
    settings, said = MISTAKES[mistake]
    source = write_csv(tmp_path / "in.csv", ("review",), [("good",)])
    with pytest.raises(UserError, match=said):
        predicted(imdb, source, **settings)


def test_a_text_that_a_file_repeats_without_end_is_no_text(imdb, predicted, tmp_path):
    """A few kilobytes that unpack to gigabytes: a value is looked at before it is copied."""
    huge = pa.array(["x" * (17 << 20)])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), huge)
    pq.write_table(pa.table({"text": column}), tmp_path / "bomb.parquet")
    with pytest.raises(UserError, match=r"200 of 200 rows cannot be used.*more than 16,777,216"):
        predicted(imdb, tmp_path / "bomb.parquet")


def test_a_file_that_is_cut_off_is_named(imdb, predicted, tmp_path, scenes_root, trained):
    trained("task_finetune_imdb")
    whole = shutil.copy(scenes_root / "scenes_imdb_test.arrow", tmp_path / "cut.arrow")
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"cut\.arrow is damaged"):
        predicted(imdb, whole)


def test_the_share_that_is_allowed_is_allowed(imdb, predicted, tmp_path):
    source = write_csv(tmp_path / "in.csv", ("id", "text"), [(n, "" if n < 29 else "good") for n in range(100)])
    assert len(read(predicted(imdb, source, max_rejected_fraction=0.29))) == 71  # 0.29 * 100 is less than 29
    with pytest.raises(UserError, match="29 of 100 rows"):
        predicted(imdb, source, "fewer.csv", max_rejected_fraction=0.2899)


def test_whole_numbers_that_are_carried_along_stay_the_same_beside_others(imdb, predicted, tmp_path):
    kept = [(2**53 + 1, 1.5), (7, 2), (None, None)]
    lines = [json.dumps({"text": "good", "id": one, "weight": other}) for one, other in kept]
    (tmp_path / "in.jsonl").write_text("\n".join([*lines, '{"text": "good", "id": 2, "weight": 9007199254740993}']))
    found = read(predicted(imdb, tmp_path / "in.jsonl", keep=["id", "weight"]))
    assert [row["id"] for row in found] == ["9007199254740993", "7", "", "2"]
    assert [row["weight"] for row in found] == ["1.5", "2", "", "9007199254740993"]
    table = pq.read_table(predicted(imdb, tmp_path / "in.jsonl", "out.parquet", keep=["id"]))
    assert table["id"].to_pylist() == [2**53 + 1, 7, None, 2]


def test_an_output_that_cannot_be_written_is_named(imdb, predicted, tmp_path):
    source = write_csv(tmp_path / "in.csv", ("text",), [("good",)])
    with pytest.raises(UserError, match=r"output=.*in.csv/out.csv': nothing can be written there"):
        predicted(imdb, source, "in.csv/out.csv")


def test_halves_of_characters_cost_their_row_or_nothing(trained, predicted, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"text": "good", "label": "x\\ud800y", "k": {"a\\udfff": "b\\ud800"}}\n'
        '{"text": "half \\ud800", "label": null, "k": 1}\n{"text": "bad", "label": null, "k": 2}\n',
        encoding="utf-8",
    )
    output = predicted(trained("task_finetune_imdb"), source, "answers.jsonl", keep=["k"], max_rejected_fraction=0.5)
    found = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [(entry["row"], entry["k"]) for entry in found] == [(0, {"a?": "b?"}), (2, 2)]
    summary = json.loads((tmp_path / "answers.jsonl.summary.json").read_text(encoding="utf-8"))
    assert (summary["answered"], summary["rejected"], summary["unknown_labels"]) == (2, 1, {"label": 1})
