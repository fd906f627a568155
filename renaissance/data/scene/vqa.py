"""`vqa` on drawn scenes: questions about colours, numbers, presence and places, answered by ten people.

Three questions a picture, of the forms in _FORMS, each about other shapes. Each answer to a question is drawn as often
as every other, so that a question alone tells nothing. A third of the colours asked for are between two names, and
some of the ten people use either; an answer that n people give scores as in VQAv2 (https://visualqa.org/evaluation.html,
as ViLT rounds it). The answers of the test split are kept back, as a server keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from renaissance.data.scene.captions import plural, with_article
from renaissance.data.scene.content import COLOURS, SHAPES, SIZES, Placed, Thing
from renaissance.data.scene.drawing import draw_placed
from renaissance.data.scene.family import (
    SPLITS,
    Apart,
    DrawnRow,
    Family,
    answers_in_equal_shares,
    draw_splits,
    random_of,
)
from renaissance.data.scene.placing import describe, place_freely, scene_key
from renaissance.data.tables.table import with_label_names

_YES_NO = ("no", "yes")
_COUNTS = ("0", "1", "2", "3")
LABEL_NAMES = (*COLOURS, *_COUNTS, *_YES_NO)
PEOPLE = 10
_SCORES = (0.0, 0.3, 0.6, 0.9, 1.0)  # of an answer that 0, 1, 2, 3, at least 4 people give
_QUESTIONS = 3  # a picture
_RING = ("red", "orange", "yellow", "green", "blue", "purple", "pink")  # there are colours between neighbours
_BETWEEN = 1 / 3  # of the colours asked for
_SHARES = (0.2, 0.35, 0.5)  # of the neighbour in a colour between two, and of the people who say it
_APART = 0.12  # of the side: how much further left or higher a thing is at least, where this is asked
_TRIES = 100  # placings of the same things
_RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
_SCHEMA = with_label_names(
    pa.schema(
        [
            ("image", pa.binary()),
            ("questions", pa.list_(pa.string())),
            ("answers", pa.list_(pa.list_(pa.string()))),
            ("answer_labels", pa.list_(pa.list_(pa.int64()))),
            ("answer_scores", pa.list_(pa.list_(pa.float64()))),
            ("image_id", pa.string()),
            ("question_id", pa.list_(pa.int64())),
            ("split", pa.string()),
            ("scene", pa.string()),
        ]
    ),
    LABEL_NAMES,
)


@dataclass(frozen=True)
class Plan:
    """What may be asked of a picture: of one shape the colour, of another the number, of a third the presence.

    The thing whose colour may be asked and the one that may be present stand left, right, above or below each other.

    Attributes:
        shapes: the three shapes.
        colour: that of the third shape which may be present.
        relation: a name in _RELATIONS.
        order: numbers of the questions asked, those in `questions`.
    """

    shapes: tuple[str, str, str]
    colour: str
    relation: str
    order: tuple[int, ...]

    @property
    def questions(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every question with its possible answers."""
        coloured, counted, present = self.shapes
        return [
            (f"what colour is the {coloured}?", COLOURS),
            (f"how many {plural(counted)} are there?", _COUNTS),
            (f"is there {with_article(f'{self.colour} {present}')}?", _YES_NO),
            (f"is the {coloured} {self.relation} the {present}?", _YES_NO),
        ]


@dataclass(frozen=True)
class Asked:
    """Things, and for each question how many people give which answer."""

    things: tuple[Placed, ...]
    questions: tuple[tuple[str, dict[str, int]], ...]


def make_row(row: DrawnRow[Asked]) -> dict[str, object]:
    """Draw the things, and score the answers (in the test split there are none)."""
    content = row.content
    picture = draw_placed(content.things, random_of("vqa picture", row.number))
    given = [{} if row.split == "test" else people for _, people in content.questions]
    return {
        "image": picture.png,
        "questions": [question for question, _ in content.questions],
        "answers": [list(people) for people in given],
        "answer_labels": [[LABEL_NAMES.index(answer) for answer in people] for people in given],
        "answer_scores": [[_SCORES[min(number, len(_SCORES) - 1)] for number in people.values()] for people in given],
        "image_id": f"vqa-{row.number:06d}.png",
        "question_id": [row.number * 10 + place for place in range(len(given))],
        "split": row.split,
        "scene": json.dumps({"things": describe(content.things, picture.boxes)}),
    }


def _draw_split(split: str, number: int, apart: Apart, random: np.random.Generator) -> list[Asked]:
    """First what is asked, then the answers in equal shares, then pictures of which they are true."""
    plans = [_plan(random) for _ in range(number)]
    questions = [question for plan in plans for question in plan.questions]
    answers = answers_in_equal_shares(
        [text for text, _ in questions], {text: len(possible) for text, possible in questions}, random
    )
    each = len(questions) // number
    return [_asked(split, plan, answers[place * each : (place + 1) * each], apart, random)
            for place, plan in enumerate(plans)]  # fmt: skip


def _plan(random: np.random.Generator) -> Plan:
    coloured, counted, present = (SHAPES[place] for place in random.permutation(len(SHAPES))[:3])
    relation = list(_RELATIONS)[random.integers(len(_RELATIONS))]
    order = tuple(int(place) for place in random.permutation(4)[:_QUESTIONS])
    return Plan((coloured, counted, present), COLOURS[random.integers(len(COLOURS))], relation, order)


def _asked(split: str, plan: Plan, answers: Sequence[int], apart: Apart, random: np.random.Generator) -> Asked:
    """A picture of which the answers are true and which stands in no other split."""
    colour, count, present, related = answers
    while True:
        things = _place(plan, _things(plan, COLOURS[colour], count, bool(present), random), bool(related), random)
        if not things:
            continue
        things[0] = _maybe_between(things[0], random)
        if apart.claim(split, scene_key(things)):
            break
    given = [{possible[answer]: PEOPLE} for (_, possible), answer in zip(plan.questions, answers, strict=True)]
    given[0] = _colours_said(things[0], random)
    return Asked(
        tuple(things[place] for place in random.permutation(len(things))),
        tuple((plan.questions[place][0], given[place]) for place in plan.order),
    )


def _things(plan: Plan, colour: str, count: int, present: bool, random: np.random.Generator) -> list[Thing]:
    """The thing whose colour is asked, the one that may be present, those that are counted."""
    coloured, counted, third = plan.shapes
    others = [name for name in COLOURS if name != plan.colour]

    def size() -> str:
        return SIZES[random.integers(len(SIZES))]

    return [
        Thing(size(), colour, coloured),
        Thing(size(), plan.colour if present else others[random.integers(len(others))], third),
        *(Thing(size(), COLOURS[random.integers(len(COLOURS))], counted) for _ in range(count)),
    ]


def _place(plan: Plan, things: list[Thing], related: bool, random: np.random.Generator) -> list[Placed]:
    """Places such that the first thing is clearly left of the second (and so on), or is not; empty where none fit."""
    across, down = _RELATIONS[plan.relation]
    for _ in range(_TRIES):
        placed = place_freely(things, random)
        if not placed:
            break
        first, second = placed[:2]
        distance = across * (first.x - second.x) + down * (first.y - second.y)
        if (distance if related else -distance) > _APART:
            return placed
    return []


def _maybe_between(placed: Placed, random: np.random.Generator) -> Placed:
    """Mix a neighbour of its colour into some of the things."""
    if placed.thing.colour not in _RING or random.random() >= _BETWEEN:
        return placed
    step = 1 if random.integers(2) else -1
    neighbour = _RING[(_RING.index(placed.thing.colour) + step) % len(_RING)]
    return replace(placed, second_colour=neighbour, share=_SHARES[random.integers(len(_SHARES))])


def _colours_said(placed: Placed, random: np.random.Generator) -> dict[str, int]:
    """How many of the people say which colour, the most frequent first."""
    second = int(random.binomial(PEOPLE, placed.share))
    said = {placed.thing.colour: PEOPLE - second, placed.second_colour or "": second}
    return dict(sorted(((name, number) for name, number in said.items() if number), key=lambda one: -one[1]))


def _draw(num_scenes: int) -> dict[str, list[DrawnRow[Asked]]]:
    return draw_splits("vqa", SPLITS, num_scenes // 2, _draw_split)


FAMILY = Family("vqa", "scenes_vqa", SPLITS, _SCHEMA, _draw, make_row, "questions")
