"""`probe`: its figures are those of a plain scikit-learn script on the model's features, whatever encodes and how."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

import renaissance
from renaissance.data.examples.schema import Column
from renaissance.errors import UserError
from renaissance.inference.classes import probe as probe_module
from renaissance.inference.classes.classifiers import Classified, linear_probe, nearest_neighbours
from renaissance.inference.classes.counts import Confusion
from renaissance.inference.classes.picture import draw_confusion
from renaissance.inference.classes.probe import probe
from renaissance.inference.export import export_encoders
from renaissance.inference.untrained import untrained_twin
from renaissance.tasks.cifar10 import PICTURES, TASK
from tests.inference.class_tables import SIZES, settings_of, write_tables


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return folder, write_tables(folder)


def probed(tmp_path, data_root, *named, **overrides):
    """The folder and the content of results.json of a probe."""
    given = {"dataset": "cifar10", "data_root": str(data_root), "log_dir": str(tmp_path / "result"), **overrides}
    folder = probe(settings_of("probe", *named, **given))
    return folder, json.loads((folder / "results.json").read_text())


def by_classifier(results, weights):
    return {row["classifier"]: row for row in results["results"] if row["weights"] == weights}


def test_figures_are_those_of_a_plain_script(pretrained, pictures, tmp_path, capsys):
    data_root, rows = pictures
    folder, results = probed(tmp_path, data_root, load_path=str(pretrained()), probe_random=False)
    model = renaissance.load(pretrained())
    x = {split: normalize(model.encode_image([row["image"] for row in rows[split]]).double()) for split in SIZES}
    y = {split: np.array([row["label"] for row in rows[split]]) for split in SIZES}
    both = np.concatenate([x["train"], x["val"]]), np.concatenate([y["train"], y["val"]])
    found = by_classifier(results, "trained")

    linear = found["linear probe"]
    for strength, share in list(linear["validation"].items())[:6]:  # beyond these a fit from nothing takes long
        fitted = LogisticRegression(C=float(strength), max_iter=10_000, tol=1e-6).fit(x["train"], y["train"])
        assert fitted.score(x["val"], y["val"]) == pytest.approx(share, abs=1.5 / SIZES["val"]), strength
    chosen = linear["chosen"].removeprefix("C = ")
    assert linear["validation"][chosen] == max(linear["validation"].values())
    predicted = LogisticRegression(C=float(chosen), max_iter=10_000, tol=1e-6).fit(*both).predict(x["test"])
    assert linear["top1"] == pytest.approx(np.mean(predicted == y["test"]), abs=1.5 / SIZES["test"])
    assert linear["mean_recall"] == pytest.approx(balanced_accuracy_score(y["test"], predicted), abs=0.04)
    assert linear["top1"] > 0.6, "the colour is told apart"

    shares = {
        k: KNeighborsClassifier(int(k), metric="cosine").fit(x["train"], y["train"]).score(x["val"], y["val"])
        for k in found["kNN"]["validation"]
    }
    assert found["kNN"]["validation"] == pytest.approx(shares)
    k = int(found["kNN"]["chosen"].removeprefix("k = "))
    assert k == min(int(k) for k, share in shares.items() if share == max(shares.values()))
    neighbours = KNeighborsClassifier(k, metric="cosine").fit(*both)
    predicted = neighbours.predict(x["test"])
    assert found["kNN"]["top1"] == pytest.approx(np.mean(predicted == y["test"]))
    table = list(csv.DictReader((folder / "cifar10_trained_kNN.csv").open(newline="")))
    recalls = np.diag(confusion_matrix(y["test"], predicted)) / np.bincount(y["test"])
    assert [float(row["recall"]) for row in table] == pytest.approx(recalls)
    said = capsys.readouterr().out
    assert "cifar10: 3 classes; examples: 90 train, 30 val, 45 test" in said
    assert said.strip().endswith(f"probe: {folder}")
    (chance,) = [row for row in results["results"] if row["classifier"] == "chance"]
    commonest = np.bincount(y["train"]).argmax()
    assert chance["top1"] == pytest.approx(np.mean(y["test"] == commonest))
    assert chance["mean_recall"] == pytest.approx(1 / 3)


def test_random_weights_stand_beside_the_trained_ones(pretrained, pictures, tmp_path):
    folder, results = probed(tmp_path, pictures[0], load_path=str(pretrained()))
    assert [(row["weights"], row["classifier"]) for row in results["results"]] == [
        ("–", "chance"), ("trained", "linear probe"), ("trained", "kNN"), ("random", "linear probe"), ("random", "kNN"),
    ]  # fmt: skip
    names = {f"cifar10_{weights}_{classifier}" for weights in ("trained", "random")
             for classifier in ("linear_probe", "kNN")}  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {
        "results.json", "results.csv", "cifar10_trained_linear_probe.png", "cifar10_random_linear_probe.png",
        *(f"{name}.csv" for name in names),
    }  # fmt: skip
    again, same = probed(tmp_path, pictures[0], load_path=str(pretrained()), num_workers=2, eval_batch_size=7)
    assert again != folder, "nothing is overwritten"
    assert same == results, "the same with any number of processes"


def test_a_twin_has_the_architecture_and_none_of_the_weights(pretrained):
    model = renaissance.load(pretrained())
    state = torch.random.get_rng_state()
    twin, same, other = (untrained_twin(model, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    own, new = model.encoder.state_dict(), twin.encoder.state_dict()
    towers = {name for name in own if name.startswith(("text_encoder", "image_encoder"))}
    assert towers <= new.keys()
    assert all(own[name].shape == new[name].shape for name in towers)
    drawn = [name for name in towers if new[name].float().std() > 0 and new[name].is_floating_point()]
    assert len(drawn) > 20
    assert not any(torch.equal(own[name], new[name]) for name in drawn)
    red = [Image.new("RGB", (64, 64), "red")]
    assert torch.equal(twin.encode_image(red), same.encode_image(red))
    assert not torch.allclose(twin.encode_image(red), other.encode_image(red))


MODELS = {
    "one-tower": ("task_mlm_itm", {"model_type": "one-tower"}),
    "late-fusion": ("task_itm", {"model_type": "late-fusion"}),
    "images alone": ("task_finetune_cifar10", {}),
    "texts alone": ("task_finetune_imdb", {}),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_architecture_is_probed_on_what_it_reads(trained, scenes_root, tmp_path, kind):
    task, overrides = MODELS[kind]
    checkpoint = trained(task, **overrides)
    folder, results = probed(
        tmp_path, scenes_root, load_path=str(checkpoint), dataset="scenes", num_scenes=120, probe_random=False
    )
    read = {"images alone": ["cifar10"], "texts alone": ["imdb"]}.get(kind, ["cifar10", "imdb"])
    read = [f"scenes_{schema}" for schema in read]
    assert list(results["data"]) == read
    for name in read:
        (row,) = [row for row in results["results"] if (row["examples"], row["classifier"]) == (name, "kNN")]
        assert 0 <= row["top1"] <= 1
        assert (folder / f"{name}_trained_linear_probe.png").is_file()


def test_an_encoder_of_the_settings_is_probed_without_a_checkpoint(pictures, tmp_path):
    _, results = probed(tmp_path, pictures[0], "tiny")
    rows = [(row["weights"], row["classifier"]) for row in results["results"]]
    assert rows == [("–", "chance"), ("random", "linear probe"), ("random", "kNN")], "nothing to compare it with"
    assert results["load_path"] == ""


def test_a_pretrained_encoder_gives_what_the_checkpoint_gives_that_it_was_exported_from(pretrained, pictures, tmp_path):
    checkpoint, exported = str(pretrained()), tmp_path / "exported"
    export_encoders(settings_of("export", load_path=checkpoint, export_dir=str(exported)))
    _, expected = probed(tmp_path, pictures[0], load_path=checkpoint)
    given = {"image_encoder": str(exported / "image_encoder"), "image_size": 64}
    _, found = probed(tmp_path, pictures[0], **given)
    assert [row["classifier"] for row in found["results"]].count("chance") == 1
    trained = by_classifier(expected, "trained")
    for classifier, row in by_classifier(found, "pretrained").items():
        assert row["top1"] == trained[classifier]["top1"]
        assert row["validation"] == pytest.approx(trained[classifier]["validation"])
    assert len(by_classifier(found, "random")) == 2


def test_validation_is_held_out_of_training_where_it_is_tested_on(pretrained, tmp_path, capsys, monkeypatch):
    """And examples without a class are left out, where a task's schema lets there be such."""
    columns = {**PICTURES.columns, "label": Column("label", "class", optional=True)}
    task = replace(TASK, needs=replace(TASK.needs, schema=replace(PICTURES, columns=columns)))
    monkeypatch.setattr("renaissance.inference.classes.examples.declaration_of", lambda name: task)
    write_tables(tmp_path / "data", {"train": 90, "val": 30}, names=None, unknown=3)
    _, results = probed(tmp_path, tmp_path / "data", load_path=str(pretrained()), probe_random=False, val_fraction=0.25)
    told = results["data"]["cifar10"]
    assert told["classes"] == ["0", "1", "2"]
    assert [(told[part]["split"], told[part]["examples"]) for part in ("train", "val", "test")] == [
        ("train", 65), ("train", 22), ("val", 27)
    ]  # fmt: skip
    assert told["without_class"] == 6
    assert "6 without a class are left out" in capsys.readouterr().out


def clusters(size, seed, noise):
    """Vectors of length 1 around three directions, of ten dimensions."""
    random = np.random.default_rng(seed)
    labels = np.arange(size) % 3
    vectors = np.eye(10)[labels] + noise * random.normal(size=(size, 10))
    return Classified(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels)


def test_the_test_is_asked_once_and_chooses_nothing():
    """Whatever the test's labels are, the same setting is chosen and the same is predicted."""
    train, val, test = clusters(60, 0, 0.4), clusters(30, 1, 0.4), clusters(30, 2, 0.4)
    wrong = Classified(test.features, (test.labels + 1) % 3)
    for classify in (
        lambda judged: linear_probe(train, val, judged, "a"),
        lambda judged: nearest_neighbours(train, val, judged),
    ):
        one, other = classify(test), classify(wrong)
        assert (one.setting, one.sweep) == (other.setting, other.sweep)
        assert np.array_equal(one.predicted, other.predicted)
        assert np.mean(one.predicted == test.labels) > 0.8
    flipped = nearest_neighbours(train, Classified(val.features, (val.labels + 1) % 3), test)
    assert flipped.sweep != nearest_neighbours(train, val, test).sweep, "validation does choose"


def test_a_linear_probe_is_scikit_learns_on_the_features_as_they_are():
    """With the C that is named, on training and validation examples together; neither more nor less than that."""

    def alike(examples):
        vectors = 1 + examples.features
        return Classified(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), examples.labels)

    train, val, test = (alike(clusters(size, seed, 1.0)) for seed, size in enumerate((60, 200, 1000)))
    answer = linear_probe(train, val, test, "a")
    both = np.concatenate((train.features, val.features)), np.concatenate((train.labels, val.labels))
    for strength, share in answer.sweep.items():
        fitted = LogisticRegression(C=float(strength), max_iter=10_000, tol=1e-8).fit(train.features, train.labels)
        assert fitted.score(val.features, val.labels) == pytest.approx(share, abs=0.011), strength
    strength = float(answer.setting.removeprefix("C = "))
    expected = LogisticRegression(C=strength, max_iter=10_000, tol=1e-8).fit(*both).predict(test.features)
    assert np.mean(answer.predicted == expected) > 0.99
    for other in (
        LogisticRegression(C=strength, max_iter=10_000, tol=1e-8).fit(train.features, train.labels),
        LogisticRegression(C=strength / 20, max_iter=10_000, tol=1e-8).fit(*both),
    ):
        assert np.mean(answer.predicted == other.predict(test.features)) < 0.99


def test_a_probe_finds_what_points_nearly_the_same_way():
    """Features of a random transformer differ in the fourth digit."""

    def nearly(examples):
        vectors = np.ones(10) + 1e-4 * examples.features
        return Classified(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), examples.labels)

    parts = [nearly(clusters(size, seed, 0.2)) for seed, size in enumerate((60, 30, 30))]
    answer = linear_probe(*parts, "a")
    assert np.mean(answer.predicted == parts[2].labels) > 0.9
    assert answer.remark == ""


def test_counts_by_hand():
    names = ["a", "b", "c", "d"]
    confusion = Confusion.of(np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2]), names)
    assert confusion.counts.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert confusion.top1 == 0.5
    assert confusion.recalls == [pytest.approx(1 / 3), 1.0, 0.5, None]
    assert confusion.mean_recall == pytest.approx((1 / 3 + 1 + 0.5) / 3)
    assert confusion.rows() == [("a", 3, pytest.approx(1 / 3), "b"), ("b", 1, 1.0, None), ("c", 2, 0.5, "a"),
                                ("d", 0, None, None)]  # fmt: skip


@pytest.mark.parametrize("number", [2, 30, 120])
def test_a_picture_of_any_number_of_classes_is_drawn(number, tmp_path):
    random = np.random.default_rng(0)
    true = np.arange(number)
    names = [f"$class {name}$ \x07 with a rather long name" for name in true]
    confusion = Confusion.of(true, random.permutation(number), names)
    with Image.open(draw_confusion(confusion, tmp_path / "a.png", "a title with a $")) as image:
        assert 400 < image.width < 2500


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": None}, "dataset: say which data set's classes"),
        ({"dataset": "cifar"}, "dataset='cifar': there is no such data set; did you mean cifar10"),
        ({"load_path": "nothing.ckpt"}, "load_path='nothing.ckpt': there is no such file"),
    ],
)
def test_a_mistake_is_said_before_anything_is_loaded(given, said):
    with pytest.raises(UserError, match=said):
        settings_of("probe", **{"dataset": "cifar10", **given})


def test_a_data_set_that_does_not_fit_is_refused_with_those_that_do(trained, scenes_root, tmp_path):
    checkpoint = str(trained("task_finetune_cifar10"))
    with pytest.raises(UserError, match=r"dataset='coco' has no images with classes .* it has no classes at all. Data "
                                        r"sets with such: cifar10, scenes"):  # fmt: skip
        probed(tmp_path, scenes_root, load_path=checkpoint, dataset="coco")
    with pytest.raises(UserError, match=r"dataset='imdb' has no images with .* it has imdb \(texts\)"):
        probed(tmp_path, scenes_root, load_path=checkpoint, dataset="imdb")
    with pytest.raises(UserError, match=r"'cifar10' is not complete under"):
        probed(tmp_path, Path(tmp_path / "empty"), load_path=checkpoint, dataset="cifar10")
    assert not (tmp_path / "result").exists(), "no empty folder is left"


def test_a_log_dir_that_cannot_be_written_is_said_before_the_work(pictures, pretrained, tmp_path, monkeypatch):
    (tmp_path / "result").write_text("in the way")
    monkeypatch.setattr(probe_module, "load", lambda *_: pytest.fail("worked in vain"))
    with pytest.raises(UserError, match=r"log_dir=.*result: no folder can be made there \(.*result is no folder\)"):
        probed(tmp_path, pictures[0], load_path=str(pretrained()))


def test_figures_are_told_where_no_folder_can_be_made(pictures, pretrained, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(probe_module, "check_writable", lambda *_: None)
    monkeypatch.setattr(probe_module, "_probed", lambda *_, **__: [])
    (tmp_path / "result").write_text("filled up meanwhile")
    with pytest.raises(UserError, match="no folder can be made there"):
        probed(tmp_path, pictures[0], load_path=str(pretrained()))
    assert "mean recall" in capsys.readouterr().out
