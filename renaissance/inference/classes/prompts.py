"""Classes as texts: their names put into templates, and one vector a class out of all its prompts.

In: the names that a table has, the settings `class_names` and `templates`. Out: names, and vectors (C, E) in the joint
space of texts and images. Templates and their ensembles are those of CLIP (Radford et al., 2021,
https://arxiv.org/abs/2103.00020, section 3.1.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from renaissance.errors import UserError
from renaissance.inference.model import Model

PLACE = "{}"
ALIKE = 1 - 1e-6  # the cosine from which on two classes are one to the text encoder


def read_templates(given: str | Sequence[str]) -> list[str]:
    """The templates of the setting `templates`.

    Args:
        given: a list of them, or a file with one a line; empty lines are left out.

    Raises:
        UserError: the file cannot be read, or a line has not one place for the name.
    """
    if not isinstance(given, str):
        return list(given)
    try:
        lines = Path(given).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"templates={given!r}: cannot be read as a text file ({error})") from error
    templates = [line.strip() for line in lines if line.strip()]
    for number, line in enumerate(lines, 1):
        if line.strip() and line.count(PLACE) != 1:
            raise UserError(f"{given}, line {number}: must have {PLACE} once, where the class's name goes: {line!r}")
    if not templates:
        raise UserError(f"templates={given!r}: is empty; write a template a line, such as: a photo of a {PLACE}")
    return templates


def renamed(
    names: Sequence[str] | None, number: int, given: Sequence[str] | Mapping[str, str] | None
) -> tuple[list[str], NDArray[np.int64]]:
    """The classes as they are called, and which of them each of a table's classes is.

    Args:
        names: the table's names; None where it has none.
        number: how many classes the table has.
        given: the setting `class_names`: a name for each class of the table, or for some of them by their names.
            Classes that get equal names are one class.

    Returns:
        C names, each once, and (`number`,) their numbers by the table's.

    Raises:
        UserError: there are no names, or as many as there are not classes, or of classes that are not there.
    """
    if names is None and not isinstance(given, list | tuple):
        raise UserError(
            f"The table does not name its {number} classes: give class_names a list of {number} names, in the order of "
            "their numbers."
        )
    if isinstance(given, Mapping):
        unknown = sorted(given.keys() - set(names or ()))
        if unknown:
            raise UserError(f"class_names: there is no class {unknown[0]!r}; the table has {', '.join(names or ())}")
        called = [given.get(name, name) for name in names or ()]
    else:
        called = list(names or () if given is None else given)
    if len(called) != number:
        raise UserError(f"class_names: has {len(called)} names, and the table has {number} classes: give one for each")
    once = list(dict.fromkeys(called))
    return once, np.array([once.index(name) for name in called], np.int64)


def class_vectors(model: Model, names: Sequence[str], templates: Sequence[str], batch_size: int) -> Tensor:
    """One vector a class (C, E): the mean of its prompts' vectors, each of length 1, brought to length 1 again.

    Args:
        model: with a joint space.
        names: C names.
        templates: each with a place for the name.
        batch_size: prompts at once.
    """
    return mean_vectors(model.embed_text(prompts_of(names, templates), batch_size), len(names))


def prompts_of(names: Sequence[str], templates: Sequence[str]) -> list[str]:
    """The prompts of classes: all of the first class's, then the next one's.

    Args:
        names: C names.
        templates: T templates, each with a place for the name.

    Returns:
        C T texts.
    """
    return [template.replace(PLACE, name) for name in names for template in templates]


def mean_vectors(vectors: Tensor, classes: int) -> Tensor:
    """One vector a class (C, E), of length 1, from those of its prompts (C T, E)."""
    by_class = vectors.reshape(classes, -1, vectors.shape[-1])
    return F.normalize(F.normalize(by_class, dim=-1).mean(dim=1), dim=-1)


def alike(names: Sequence[str], vectors: Tensor) -> list[list[str]]:
    """The classes, in groups, that the text encoder cannot tell apart, since it knows none of their words, say."""
    groups: list[list[str]] = []
    left = list(range(len(names)))
    while left:
        cosines = vectors[left] @ vectors[left[0]]
        group = [
            number for number, cosine in zip(left, cosines.tolist(), strict=True) if cosine > ALIKE or number == left[0]
        ]
        groups.append([names[number] for number in group])
        left = [number for number in left if number not in group]
    return [group for group in groups if len(group) > 1]


def best_classes(images: Tensor, vectors: Tensor, number: int) -> Tensor:
    """The likeliest classes of images (B, number), the best first; of equal ones the one with the lower number.

    Args:
        images: (B, E).
        vectors: (C, E) of the classes.
        number: how many.
    """
    order = torch.sort(images @ vectors.T, dim=-1, descending=True, stable=True).indices
    return order[:, :number]
