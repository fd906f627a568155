"""`zeroshot`: its figures are those of a plain loop over images, classes and templates, and of a model made by hand."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import renaissance
from renaissance.errors import UserError
from renaissance.inference.classes import zeroshot as zeroshot_module
from renaissance.inference.classes.prompts import alike, best_classes, class_vectors, read_templates, renamed
from renaissance.inference.classes.zeroshot import zeroshot
from renaissance.inference.model import Model
from tests.inference.class_tables import NAMES, SIZES, settings_of, write_tables

TEMPLATES = ["one small {}", "there is one large {} in the middle"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return folder, write_tables(folder)


@pytest.fixture
def recognised(trained, tmp_path):
    """Runs the command; gives its folder and the content of results.json."""

    def run(data_root, **overrides):
        given = {"dataset": "cifar10", "data_root": str(data_root), "log_dir": str(tmp_path / "result"),
                 "load_path": str(trained("task_clip_scenes"))}  # fmt: skip
        folder = zeroshot(settings_of("zeroshot", **{**given, **overrides}))
        return folder, json.loads((folder / "results.json").read_text())

    return run


def test_figures_are_those_of_a_plain_loop(recognised, trained, rows, scenes_root, capsys):
    folder, results = recognised(
        scenes_root, dataset="scenes", num_scenes=120, split="train", templates=TEMPLATES, eval_batch_size=7
    )
    split = rows("scenes_cifar10_train")
    model = renaissance.load(trained("task_clip_scenes"))
    names = list(results["recall"])
    classes = []
    for name in names:
        vectors = []
        for template in TEMPLATES:
            (vector,) = model.embed_text([template.format(name)])
            vectors.append(vector / vector.norm())
        mean = sum(vectors) / len(vectors)
        classes.append(mean / mean.norm())
    right, among_five, by_class = 0, 0, {name: [] for name in names}
    for row in split:
        (image,) = model.embed_image([row["image"]])
        scores = [float(image @ vector) for vector in classes]
        rank = sorted(scores, reverse=True).index(scores[row["label"]])
        right += rank == 0
        among_five += rank < 5
        by_class[names[row["label"]]].append(rank == 0)
    assert results["examples"] == len(split) == 50
    assert results["top1"] == pytest.approx(right / 50)
    assert results["top5"] == pytest.approx(among_five / 50)
    recalls = {name: np.mean(found) for name, found in by_class.items() if found}
    assert {name: recall for name, recall in results["recall"].items() if recall is not None} == pytest.approx(recalls)
    assert results["mean_recall"] == pytest.approx(np.mean(list(recalls.values())))
    assert (results["chance"], results["templates"], results["split"]) == (0.1, TEMPLATES, "train")
    assert {path.name for path in folder.iterdir()} == {"results.json", "classes.csv", "confusion.png"}
    table = list(csv.DictReader((folder / "classes.csv").open(newline="")))
    assert [int(row["examples"]) for row in table] == [len(found) for found in by_class.values()]
    assert "scenes_cifar10: 50 images of 10 classes (train); 2 templates" in capsys.readouterr().out


@pytest.fixture
def by_hand(monkeypatch, trained):
    """A joint space of three colours: an image's is how far its mean lies above the others'; a text's is its words'."""
    model = renaissance.load(trained("task_clip_scenes"))
    joint = type(model.joint_space())

    def of_image(self, step):
        mean = step.batch.pixels.float().mean(dim=(2, 3))
        return F.normalize(mean - mean.mean(dim=1, keepdim=True), dim=-1)

    def of_texts(self, texts, batch_size=0):
        vectors = torch.tensor([[float(name in text) for name in NAMES] for text in texts])
        return F.normalize(vectors + 0.01, dim=-1)

    monkeypatch.setattr(joint, "embed_image", of_image)
    monkeypatch.setattr(Model, "embed_text", of_texts)


def test_a_model_that_knows_colours_tells_them_apart(recognised, pictures, by_hand):
    data_root, rows = pictures
    _, results = recognised(data_root)
    assert (results["top1"], results["mean_recall"], results["top5"]) == (1.0, 1.0, None)
    assert (results["split"], results["examples"], results["chance"]) == ("test", SIZES["test"], pytest.approx(1 / 3))
    _, others = recognised(data_root, class_names=["green", "red", "blue"], num_workers=2)
    count = [row["label"] for row in rows["test"]].count(2)
    assert others["top1"] == pytest.approx(count / SIZES["test"]), "names are given in the table's order"
    _, merged = recognised(data_root, class_names={"green": "green or blue", "blue": "green or blue"})
    assert merged["recall"] == {"red": 1.0, "green or blue": 1.0}, "equal names are one class"


def test_words_that_the_text_encoder_does_not_know_are_said(recognised, pictures, by_hand, capsys):
    folder, results = recognised(pictures[0], class_names=["red", "cyan", "magenta"])
    assert results["alike"] == [["cyan", "magenta"]]
    assert "cyan, magenta: the text encoder cannot tell these apart" in capsys.readouterr().out
    again, same = recognised(pictures[0], class_names=["red", "cyan", "magenta"])
    assert (again.name, same) == ("2", results), "nothing is overwritten"
    assert folder.name == "1"


def test_a_class_name_commands_no_terminal(recognised, by_hand, tmp_path, capsys):
    write_tables(tmp_path / "data", names=("red", "gr\x1b]0;x\x07een", "blue\nzero-shot  1.0"))
    recognised(tmp_path / "data", class_names={"red": "a\x1b]0;x\x07", "blue\nzero-shot  1.0": "b\nc"})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "a ]0;x" in out
    assert "b c" in out


def test_a_log_dir_that_cannot_be_written_is_said_before_the_work(recognised, pictures, by_hand, tmp_path, monkeypatch):
    (tmp_path / "result").write_text("in the way")
    monkeypatch.setattr(zeroshot_module, "recognise", lambda *_: pytest.fail("worked in vain"))
    with pytest.raises(UserError, match=r"log_dir=.*result: no folder can be made there \(.*result is no folder\)"):
        recognised(pictures[0])


def test_figures_are_told_where_no_folder_can_be_made(recognised, pictures, by_hand, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zeroshot_module, "check_writable", lambda *_: None)
    (tmp_path / "result").write_text("filled up meanwhile")
    with pytest.raises(UserError, match="no folder can be made there"):
        recognised(pictures[0])
    assert "zero-shot" in capsys.readouterr().out


def test_a_model_without_a_joint_space_is_refused(recognised, pictures, pretrained):
    with pytest.raises(UserError, match=r"no joint space of texts and images: it was trained on itm, mlm. Train one"):
        recognised(pictures[0], load_path=str(pretrained()))


MISTAKES = {
    "no such split": ({"split": "dev"}, r"split='dev': the data set has train, val, test"),
    "too few names": ({"class_names": ["a", "b"]}, r"class_names: has 2 names, and the table has 3 classes"),
    "no such class": ({"class_names": {"cat": "a"}}, r"class_names: there is no class 'cat'; the table has red, green"),
    "texts": ({"dataset": "imdb"}, r"dataset='imdb' has no images with classes"),
    "no templates": ({"templates": []}, r"templates=\[\]: must be a list of texts with \{\}"),
    "no place": ({"templates": ["a photo"]}, r"templates: must each have \{\} once, .* but 'a photo' has not"),
    "no file": ({"templates": "none.txt"}, r"templates='none.txt': there is no such file"),
    "no model": ({"load_path": ""}, r"load_path: say which checkpoint to use"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message(recognised, pictures, mistake, tmp_path):
    given, said = MISTAKES[mistake]
    with pytest.raises(UserError, match=said):
        recognised(pictures[0], **given)
    assert not (tmp_path / "result").exists()


def test_templates_are_read_from_a_file(tmp_path):
    file = tmp_path / "templates.txt"
    file.write_text("a photo of a {}.\n\n  art of the {}\n")
    assert read_templates(str(file)) == ["a photo of a {}.", "art of the {}"]
    file.write_text("a {}\na photo\n")
    with pytest.raises(UserError, match=r"templates.txt, line 2: must have \{\} once"):
        read_templates(str(file))
    file.write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        read_templates(str(file))
    file.write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match="cannot be read as a text file"):
        read_templates(str(file))


def test_classes_without_names_need_some():
    with pytest.raises(UserError, match="does not name its 3 classes: give class_names a list of 3 names"):
        renamed(None, 3, None)
    names, numbers = renamed(None, 3, ["a", "b", "a"])
    assert (names, numbers.tolist()) == (["a", "b"], [0, 1, 0])


def test_a_classes_vector_is_the_mean_of_its_prompts_vectors(trained):
    model = renaissance.load(trained("task_clip_scenes"))
    templates = ["one small {}", "there is one large {} in the middle", "{}"]
    found = class_vectors(model, ["red circle", "blue square"], templates, batch_size=4)
    for name, vector in zip(["red circle", "blue square"], found, strict=True):
        mean = torch.zeros_like(vector)
        for template in templates:
            mean += model.embed_text([template.replace("{}", name)])[0] / 3
        torch.testing.assert_close(vector, mean / mean.norm())


def test_of_equal_classes_the_first_is_the_likeliest():
    vectors = F.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.1]]), dim=-1)
    images = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert best_classes(images, vectors, 2).tolist() == [[1, 2], [0, 3]]
    assert alike(["a", "b", "c", "d"], vectors) == [["b", "c"]]
