"""What is said of a scene: sentences that tell all of it, so that each is true of its own picture only.

Every sentence says how many things there are, what each is, and how they stand. Two scenes that differ therefore
have no sentence in common, and a sentence of one is false of the other.
"""

from __future__ import annotations

import numpy as np

from renaissance.data.scene.content import Group, Scene

COUNT_WORDS = {1: "one", 2: "two", 3: "three"}
_RELATIONS = {"row": ("left of", "right of"), "column": ("above", "below")}  # there and back


def captions(scene: Scene, number: int, random: np.random.Generator) -> list[str]:
    """`number` different sentences about a scene (fewer where there are not so many ways to say it)."""
    sentences = all_captions(scene)
    return [sentences[place] for place in random.permutation(len(sentences))[:number]]


def all_captions(scene: Scene) -> list[str]:
    """Every sentence about a scene."""
    names = [group_name(group) for group in scene.groups]
    if len(names) == 1:
        sentences = [f"{names[0]} in the {scene.standing}", f"in the {scene.standing} {names[0]}"]
    else:
        there, back = _RELATIONS[scene.standing]
        sentences = [f"{names[0]} {there} {names[1]}", f"{names[1]} {back} {names[0]}"]
    verb = "is" if scene.groups[0].count == 1 else "are"
    return [*sentences, f"there {verb} {sentences[0]}"]


def group_name(group: Group) -> str:
    """What a group is called, such as "two small red circles"."""
    thing = group.thing
    noun = thing.shape if group.count == 1 else plural(thing.shape)
    return f"{COUNT_WORDS[group.count]} {thing.size} {thing.colour} {noun}"


def plural(noun: str) -> str:
    """The plural of a noun of the sample set."""
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def with_article(words: str) -> str:
    """The words with the indefinite article before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
