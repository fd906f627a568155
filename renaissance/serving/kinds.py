"""The kinds of work that wait in the queue: predictions of a model's tasks, and vectors of texts and of images."""

from __future__ import annotations

from typing import Any

from renaissance.serving.queue import Kind
from renaissance.serving.served import ServedModel

JOINT, POOLED = "joint", "pooled"


def prediction(served: ServedModel, tasks: tuple[str, ...]) -> Kind:
    """What some tasks of a model say of examples; answers by task."""
    return Kind((served.name, "predict", *tasks), served.model, served.model.predictor(tasks).answers)


def vectors(served: ServedModel, space: str, side: str) -> Kind:
    """Vectors of texts or images, each a list of numbers.

    Args:
        served: the model.
        space: the joint one of texts and images, or the pooled features.
        side: "text" or "image", the field that examples have.
    """
    model = served.model
    by_space = {
        (JOINT, "text"): model.embed_text, (JOINT, "image"): model.embed_image,
        (POOLED, "text"): model.encode_text, (POOLED, "image"): model.encode_image,
    }  # fmt: skip
    encode = by_space[space, side]

    def work(examples: list[dict[str, Any]]) -> list[Any]:
        found: list[Any] = encode([example[side] for example in examples], len(examples)).tolist()
        return found

    return Kind((served.name, space, side), model, work)
