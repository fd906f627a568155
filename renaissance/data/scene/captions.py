"""What is said of a scene: sentences that tell all of it, so that each is true of its own picture only.

Every sentence says how many things there are, what each is, and how they stand. Two scenes that differ therefore
have no sentence in common, and a sentence of one is false of the other.
"""

from __future__ import annotations

import numpy as np

from renaissance.data.scene.content import Scene, Thing

_PLACE_WORDS = {
    "middle": "in the middle",
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
}
_COUNT_WORDS = {2: "two", 3: "three"}


def captions(scene: Scene, number: int, random: np.random.Generator) -> list[str]:
    """`number` different sentences about a scene (fewer where there are not so many ways to say it)."""
    sentences = _sentences(scene)
    return [sentences[place] for place in random.permutation(len(sentences))[:number]]


def _sentences(scene: Scene) -> list[str]:
    """All sentences about a scene."""
    if len(scene.things) == 1:
        return _about_one(_name(scene.things[0]), scene.standing)
    if len(set(scene.things)) == 1:
        return _about_alike(scene)
    names = [f"a {_name(thing)}" for thing in scene.things]
    return _about_two(names, scene.standing) if len(names) == 2 else _about_three(names, scene.standing)


def _name(thing: Thing) -> str:
    return f"{thing.size} {thing.colour} {thing.shape}"


def _about_one(name: str, place: str) -> list[str]:
    where = _PLACE_WORDS.get(place) or f"in the {place} corner"
    return [
        f"one {name} {where}",
        f"there is only one {name} {where}",
        f"{where}, one {name}",
    ]


def _about_alike(scene: Scene) -> list[str]:
    things = f"{_COUNT_WORDS[len(scene.things)]} {_name(scene.things[0])}s"
    if scene.standing == "row":
        return [f"{things} side by side", f"{things} in a row", f"a row of {things}"]
    return [f"{things} one above the other", f"{things} in a column", f"a column of {things}"]


def _about_two(names: list[str], standing: str) -> list[str]:
    first, second = names
    if standing == "row":
        return [
            f"two shapes, {first} left of {second}",
            f"two shapes, {second} right of {first}",
            f"two shapes, {first} on the left and {second} on the right",
        ]
    return [
        f"two shapes, {first} above {second}",
        f"two shapes, {second} below {first}",
        f"two shapes, {first} at the top and {second} at the bottom",
    ]


def _about_three(names: list[str], standing: str) -> list[str]:
    first, second, third = names
    if standing == "row":
        return [
            f"three shapes from left to right, {first}, {second} and {third}",
            f"three shapes from right to left, {third}, {second} and {first}",
            f"three shapes, {first} on the left, {second} in the middle and {third} on the right",
        ]
    return [
        f"three shapes from top to bottom, {first}, {second} and {third}",
        f"three shapes from bottom to top, {third}, {second} and {first}",
        f"three shapes, {first} at the top, {second} in the middle and {third} at the bottom",
    ]
