"""Does an ONNX file compute what PyTorch does? Asked of batches and lengths other than those it was made from.

Tracing keeps the path that the example took. What depends on the number of examples, on the length or on padding in a
way that tracing does not see would give other numbers without a word; so every file is compared before it is there.

Shapes: B examples, L tokens, S pixels on a side of an image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from renaissance.data.batches.collate import pad_texts
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.inference.model import Model
from renaissance.inference.onnx_export.graphs import Graph, GraphModule

MOST_DIFFERENT = 1e-3  # as a share of the largest value of an example
BATCHES = (1, 3)


def largest_difference(module: GraphModule, path: Path, model: Model) -> float:
    """How far the file's numbers are from PyTorch's, as a share of the largest value of an example.

    Args:
        module: the graph in PyTorch.
        path: the ONNX file.
        model: whose graph it is.

    Raises:
        UserError: by more than `MOST_DIFFERENT`.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors: it tells of what it makes simpler
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for batch in BATCHES:
        for length in _lengths(module.graph, model):
            tensors = example(module.graph, model, batch, length)
            given = {name: tensor.numpy() for name, tensor in zip(module.graph.inputs, tensors, strict=True)}
            try:
                (found,) = session.run(None, given)
            except Exception as error:  # onnxruntime's own classes, which derive from nothing else
                reason = " ".join(str(error).split())[:300]
                raise UserError(_refused(module.graph, batch, length, f"onnxruntime stops: {reason}")) from None
            with torch.no_grad():
                expected = module(*tensors).numpy()
            if found.shape != expected.shape:
                raise UserError(_refused(module.graph, batch, length, f"{found.shape} and not {expected.shape}"))
            difference = float((np.abs(found - expected).max(1) / np.abs(expected).max(1)).max())
            if not difference <= MOST_DIFFERENT:
                raise UserError(_refused(module.graph, batch, length, f"the largest difference is {difference:.2g}"))
            largest = max(largest, difference)
    return largest


def _refused(graph: Graph, batch: int, length: int, reason: str) -> str:
    tokens = f" and texts of up to {length} tokens" if graph.text_fields else ""
    return (
        f"{graph.name}.onnx would not give what the model gives ({batch} examples{tokens}: {reason}; at most "
        f"{MOST_DIFFERENT:g} of an example's largest value is allowed). Nothing was written: its encoder does "
        "something that ONNX cannot follow. Use it by renaissance.load, predict or serve."
    )


def longest(graph: Graph, model: Model) -> int:
    """The most tokens that its texts have; 0 without texts."""
    return model.settings.max_text_len if graph.text_fields else 0


def _lengths(graph: Graph, model: Model) -> list[int]:
    """The shortest texts that say anything, some in between, and the longest."""
    if not graph.text_fields or model.text is None:
        return [0]
    pieces, most = len(graph.text_fields), longest(graph, model)
    shortest = min(most, len(model.text.encode([""])[0][0]) + 2 * pieces - 1)
    return sorted({shortest, (shortest + most) // 2, max(shortest, most - 1), most})


def example(graph: Graph, model: Model, batch: int, length: int) -> tuple[Tensor, ...]:
    """Tensors for a graph: texts out of the model's own tokens, the first the longest, and random pixels.

    Args:
        graph: the graph.
        model: whose graph it is.
        batch: B.
        length: L, of the longest text.
    """
    stream = np.random.default_rng([batch, length])
    tensors: list[Tensor] = []
    if graph.text_fields:
        assert model.text is not None
        tensors += _texts(model.text, stream, batch, length, pair=len(graph.text_fields) > 1)
    size = model.settings.image_size
    for _ in graph.image_fields:
        tensors.append(torch.from_numpy(stream.standard_normal((batch, 3, size, size), np.float32)))
    return tuple(tensors)


def _texts(processor: TextProcessor, stream: np.random.Generator, batch: int, length: int, pair: bool) -> list[Tensor]:
    """Token numbers, mask and, of pairs, segments (B, L) long of texts of falling lengths."""
    state = processor.state()
    ordinary = sorted(set(range(processor.vocab_size)) - processor.special_ids)
    encoded, segments = [], []
    for number in range(batch):
        shortest = min(length, len(processor.encode([""])[0][0]) + (3 if pair else 1))
        own = TextProcessor.from_state(state, max_text_len=max(shortest, length * (batch - number) // batch))
        text, other = (
            " ".join(processor.decode([piece]) for piece in stream.choice(ordinary, length)) for _ in range(2)
        )
        if pair:
            one, segment = own.encode_pairs([text], [other])
            segments += segment
        else:
            one = own.encode([text])
        encoded += one
    tokens = pad_texts(encoded, segments, pad_id=processor.pad_id)
    return [tokens.ids, tokens.mask.long(), *([] if tokens.segments is None else [tokens.segments])]
