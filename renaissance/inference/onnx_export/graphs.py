"""What of a trained model is exported: one graph for each task that gives probabilities, and one for each encoder.

In: a `Model`. Out: `Graph`s, PyTorch modules over plain tensors, and what is left out, in words.

Shapes: B examples, L tokens, S pixels on a side of an image, C answers, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.inference.model import Model
from renaissance.tasks.common.probabilities import GivesProbabilities
from renaissance.tasks.common.step import Step, pooled

PIXELS = "pixel_values"  # as transformers calls them
TEXT_FIELDS = {("text",), ("text", "text_pair")}  # that a model reads: a text, or two that are read as one


@dataclass(frozen=True)
class Graph:
    """What becomes one ONNX file.

    Attributes:
        name: the file's, without its ending.
        text_fields: the texts that an example has: none, one, or two that are read together.
        image_fields: the images that an example has.
        output: what comes out, "probabilities" or "vectors".
        answers: the C answers of the probabilities; None of vectors.
        compute: makes (B, C) or (B, D) of a step.
        modules: those that `compute` uses.
    """

    name: str
    text_fields: tuple[str, ...]
    image_fields: tuple[str, ...]
    output: str
    answers: tuple[str, ...] | None
    compute: Callable[[Step], Tensor]
    modules: tuple[nn.Module, ...]

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """The tensors that go in, by name, with the dimensions that are free."""
        names = [
            *(["input_ids", "attention_mask"] if self.text_fields else []),
            *(["token_type_ids"] if len(self.text_fields) > 1 else []),
        ]
        texts = {name: {0: "batch", 1: "length"} for name in names}
        return texts | {name: {0: "batch"} for name in self.pixels().values()}

    def pixels(self) -> dict[str, str]:
        """The names of the tensors of images, by field."""
        return {field: PIXELS if place == 0 else f"{field}_{PIXELS}" for place, field in enumerate(self.image_fields)}


class GraphModule(nn.Module):
    """A graph as a module over the tensors of `Graph.inputs`, in their order: what is exported.

    Args:
        graph: which.
        encoder: the model's.
    """

    def __init__(self, graph: Graph, encoder: nn.Module) -> None:
        super().__init__()
        self.graph = graph
        self.encoder = encoder
        self.used = nn.ModuleList(graph.modules)

    def forward(self, *tensors: Tensor) -> Tensor:
        """(B, C) probabilities or (B, D) vectors."""
        given = dict(zip(self.graph.inputs, tensors, strict=True))
        images = [given[name] for name in self.graph.pixels().values()]
        tokens = None
        if self.graph.text_fields:
            ids = given["input_ids"]
            # Which word a token belongs to matters where words are masked, which no exported graph does.
            tokens = Tokens(ids, given["attention_mask"].bool(), torch.zeros_like(ids), given.get("token_type_ids"))
        pixels = torch.cat(images) if len(images) > 1 else (images or [None])[0]
        batch = Batch(index=tensors[0].flatten(1)[:, 0], pixels=pixels, tokens=tokens)
        return self.graph.compute(Step(self.encoder, batch, _as_they_are)).float()  # type: ignore[arg-type]


def _as_they_are(batch: Batch) -> Tensor:
    """The batch's pixels, which come normalised."""
    assert batch.pixels is not None
    return batch.pixels


def graphs_of(model: Model) -> tuple[list[Graph], list[str]]:
    """What of a model can be exported.

    Args:
        model: the trained model.

    Returns:
        the graphs, and a line for each task that is left out.
    """
    graphs: list[Graph] = []
    left_out: list[str] = []
    for name, task in model.tasks.items():
        fields = {given.field: given.type for given in model.inputs[name]}
        texts = tuple(field for field, kind in fields.items() if kind == "text")
        images = tuple(field for field, kind in fields.items() if kind == "image")
        if not isinstance(task, GivesProbabilities):
            if not (model.has_joint_space and task is model.joint_space()):
                left_out.append(f"{name} is not exported: it does not answer an example with one row of probabilities")
        elif len(texts) + len(images) < len(fields) or (texts and texts not in TEXT_FIELDS):
            left_out.append(f"{name} is not exported: of what it reads ({', '.join(fields)}) ONNX has no tensors here")
        else:
            answers = tuple(task.answer_names())
            graphs.append(Graph(name, texts, images, "probabilities", answers, task.probabilities, (task,)))
    return [*graphs, *_encoders(model)], left_out


def _encoders(model: Model) -> list[Graph]:
    """One vector a text and one an image, of length 1 where the model has a joint space."""
    embed_text, embed_image, modules = pooled, pooled, ()
    if model.has_joint_space:
        joint = model.joint_space()
        embed_text, embed_image = joint.embed_text, joint.embed_image
        modules = tuple(task for task in model.tasks.values() if task is joint)
    found = []
    if model.text is not None and model.encoder.text_size:
        found.append(Graph("text_encoder", ("text",), (), "vectors", None, embed_text, modules))
    if model.transform is not None and model.encoder.image_size:
        found.append(Graph("image_encoder", (), ("image",), "vectors", None, embed_image, modules))
    return found
