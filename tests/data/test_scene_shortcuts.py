"""The sample set's tables of five kinds have no shortcut: half of what is asked of a model gives no better than chance.

A bag of words with logistic regression, fitted to the training split and scored on the others, stands for "the text
alone"; the bounds leave some three standard errors above chance.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from .conftest import SceneTables
from .test_scene_answers import Row, rows_of, things_in

TextsAndLabels = tuple[list[str], list[Any]]


def score_of_words(train: TextsAndLabels, held_out: TextsAndLabels) -> float:
    """The accuracy of a bag of one, two and three words."""
    model = make_pipeline(CountVectorizer(ngram_range=(1, 3)), LogisticRegression(max_iter=300))
    return float(model.fit(*train).score(*held_out))


def flat(rows: list[Row], texts: str, labels: str) -> TextsAndLabels:
    return [text for row in rows for text in row[texts]], [label for row in rows for label in row[labels]]


def test_snli_sentences_tell_nothing(scene_tables: SceneTables) -> None:
    train = rows_of(scene_tables, "snli", "train")
    held_out = rows_of(scene_tables, "snli", "val", "test")
    assert score_of_words(flat(train, "sentences", "labels"), flat(held_out, "sentences", "labels")) < 0.40
    asked: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for sentence, label in zip(*flat(train, "sentences", "labels"), strict=True):
        asked[sentence][label] += 1
    assert len(asked) == 384
    # The same sentences for each class, but for the last one to three pictures.
    assert sum(max(counts.values()) - min(counts[label] for label in range(3)) for counts in asked.values()) < 20


def test_snli_pictures_and_covers_tell_nothing(scene_tables: SceneTables) -> None:
    for row in rows_of(scene_tables, "snli"):
        assert sorted(row["labels"]) == [0, 1, 2]
    covers = Counter(str(json.loads(row["scene"])["cover"]) for row in rows_of(scene_tables, "snli", "train"))
    assert len(covers) == 4
    assert min(covers.values()) > 100


@pytest.mark.parametrize("column", ["text_a", "text_b"])
def test_mrpc_sentences_tell_nothing_alone(scene_tables: SceneTables, column: str) -> None:
    train, held_out = (
        ([row[column] for row in rows], [row["label"] for row in rows])
        for rows in (rows_of(scene_tables, "mrpc", "train"), rows_of(scene_tables, "mrpc", "val", "test"))
    )
    assert score_of_words(train, held_out) < 0.58


def test_mrpc_word_overlap_tells_nothing(scene_tables: SceneTables) -> None:
    def overlaps(*splits: str) -> tuple[list[list[float]], list[int]]:
        rows = rows_of(scene_tables, "mrpc", *splits)
        sets = [(set(row["text_a"].split()), set(row["text_b"].split())) for row in rows]
        return [[len(a & b) / len(a | b), (len(a & b) / len(a | b)) ** 2] for a, b in sets], [
            row["label"] for row in rows
        ]

    assert LogisticRegression().fit(*overlaps("train")).score(*overlaps("val", "test")) < 0.58
    assert 0.45 < np.mean([row["label"] for row in rows_of(scene_tables, "mrpc")]) < 0.55


def test_nlvr2_statements_tell_nothing(scene_tables: SceneTables) -> None:
    train = flat(rows_of(scene_tables, "nlvr2", "train"), "questions", "answers")
    held_out = flat(rows_of(scene_tables, "nlvr2", "val", "test1"), "questions", "answers")
    assert score_of_words(train, held_out) < 0.58
    for place in (slice(None, 2), slice(-4, -3)):  # the form of a statement, and the number in it
        asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for statement, answer in zip(*train, strict=True):
            asked[" ".join(statement.split()[place])][answer] += 1
        assert len(asked) == (4 if place.stop == 2 else 2)
        assert all(max(answers.values()) < 0.6 * sum(answers.values()) for answers in asked.values()), asked


def test_nlvr2_pictures_tell_nothing(scene_tables: SceneTables) -> None:
    """Every pair has a group of things in common, and one of its own on each side, whatever is asked."""
    for row in rows_of(scene_tables, "nlvr2"):
        left, right = ({str(_names(thing)) for thing in things_in(row[f"scene_{side}"])} for side in range(2))
        assert (len(left), len(right), len(left & right)) == (2, 2, 1)


@pytest.mark.parametrize("side", [0, 1])
def test_nlvr2_takes_both_pictures(scene_tables: SceneTables, side: int) -> None:
    """The best guess from a statement's form and whether one picture shows what it names."""
    guesses: defaultdict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
    for row in rows_of(scene_tables, "nlvr2"):
        for statement, answer in zip(row["questions"], row["answers"], strict=True):
            form, name = re.split(r" shows? ", statement)
            shown = name in group_names(things_in(row[f"scene_{side}"]))
            guesses[form, shown][answer] += 1
    of_form = {
        form: sum(max(guesses[form, shown].values()) for shown in (False, True))
        / sum(sum(guesses[form, shown].values()) for shown in (False, True))
        for form, _ in guesses
    }
    assert of_form.pop(f"the {('left', 'right')[side]} picture") == 1
    assert of_form.pop(f"the {('right', 'left')[side]} picture") < 0.6
    assert of_form.pop("one picture alone") < 0.6
    assert of_form.pop("both pictures") < 0.8  # 0.75 by construction
    assert not of_form


def group_names(things: list[dict[str, Any]]) -> set[str]:
    """What the groups of alike things in a picture are called."""
    counts = Counter(f"{thing['size']} {thing['colour']} {thing['shape']}" for thing in things)
    plural = {"circle": "circles", "square": "squares", "triangle": "triangles", "cross": "crosses"}
    return {
        f"one {name}" if count == 1 else f"two {name.rsplit(' ', 1)[0]} {plural[name.rsplit(' ', 1)[1]]}"
        for name, count in counts.items()
    }


def _names(thing: dict[str, Any]) -> dict[str, str]:
    return {name: thing[name] for name in ("size", "colour", "shape")}


def test_ref_phrases_tell_nothing_alone(scene_tables: SceneTables) -> None:
    train, held_out = (
        (
            [f"{len(row['bboxes'])}things {text}" for row in rows for text in row["sentences"]],
            [row["labels"] for row in rows for _ in row["sentences"]],
        )
        for rows in (rows_of(scene_tables, "ref", "train"), rows_of(scene_tables, "ref", "val", "testA", "testB"))
    )
    assert score_of_words(train, held_out) < 0.46  # chance: the mean of 1/2, 1/3 and 1/4, 0.36


def test_ref_boxes_tell_nothing_alone(scene_tables: SceneTables) -> None:
    def features(row: Row) -> list[list[float]]:
        boxes = np.array(row["bboxes"]) / 96
        return [[*box, *(box - boxes.mean(axis=0)), *np.abs(box - boxes.mean(axis=0))] for box in boxes]

    train = rows_of(scene_tables, "ref", "train")
    meant = [place == row["labels"] for row in train for place in range(len(row["bboxes"]))]
    model = LogisticRegression(max_iter=300).fit([each for row in train for each in features(row)], meant)
    right = [
        int(np.argmax(model.predict_proba(features(row))[:, 1])) == row["labels"]
        for row in rows_of(scene_tables, "ref", "val", "testA", "testB")
    ]
    assert np.mean(right) < 0.48


def test_vqa_questions_tell_nothing(scene_tables: SceneTables) -> None:
    """The best guess from the question scores 0.36: two of four forms ask for yes or no, one for a number below 4."""
    scores: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows_of(scene_tables, "vqa", "train"):
        for question, answers, given in zip(row["questions"], row["answers"], row["answer_scores"], strict=True):
            scores[question].update(dict(zip(answers, given, strict=True)))
    best = {question: max(counts, key=lambda answer: counts[answer]) for question, counts in scores.items()}
    reached = [
        dict(zip(answers, given, strict=True)).get(best.get(question, "yes"), 0.0)
        for row in rows_of(scene_tables, "vqa", "val")
        for question, answers, given in zip(row["questions"], row["answers"], row["answer_scores"], strict=True)
    ]
    assert 0.25 < np.mean(reached) < 0.45
    for question, counts in scores.items():
        possible = 8 if "colour" in question else 4 if "many" in question else 2
        assert len(counts) == possible or sum(counts.values()) < 2 * possible, question
