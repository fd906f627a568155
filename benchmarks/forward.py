"""What compiling a served model, or 8-bit weights, would gain: the forward pass in three ways, in turns.

    python -m benchmarks.forward [--checkpoint result/imdb/1/checkpoints/best.ckpt] [--times 100]

Without a checkpoint two built-in text transformers are taken, one of the size that `benchmarks.serving` serves and one
of ELECTRA-small's (width 256, 12 layers), both with a few steps of training. A batch is of texts that are tokenized
already. `int8` has its linear layers in 8 bits (dynamic quantization), `compile` is `torch.compile` for any batch size;
each is given as milliseconds and as how many times as fast as the plain one of the same turns, with the largest
difference that it makes to a probability. What compiling takes at the start is said, too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

import renaissance
from benchmarks.serving import TEXT, trained
from benchmarks.timing import machine, summarise
from renaissance.inference.asked import asked_of
from renaissance.inference.model import Model
from renaissance.inference.predictor import named_in_examples

SHAPES = {"width 64, 2 layers": (64, 4, 2), "width 256, 12 layers": (256, 4, 12)}  # width, heads, layers
SIZES = (1, 32)  # of a batch
WARM = 3  # calls that are not counted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint")
    parser.add_argument("--times", type=int, default=100)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", "torch.ao.quantization")  # that quantization moves to another package
    print(machine())
    if arguments.checkpoint:
        compare(arguments.checkpoint, arguments.checkpoint, arguments.times)
        return
    for name, shape in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            compare(name, trained(Path(folder), *shape), arguments.times)


def compare(name: str, checkpoint: str, times: int) -> None:
    """Print what each way takes for a batch of each size."""
    ways = {"plain": renaissance.load(checkpoint), "int8": in_8_bits(checkpoint), "compile": compiled(checkpoint)}
    for size in SIZES:
        batches = {way: batch_of(model, size) for way, model in ways.items()}
        start = time.perf_counter()
        probabilities = {way: forward(ways[way], batch) for way, batch in batches.items()}
        print(f"{name}, a batch of {size} (first calls of all: {time.perf_counter() - start:.1f} s)")
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for way in [*ways] * (WARM + times):
            start = time.perf_counter()
            forward(ways[way], batches[way])
            taken[way].append(1000 * (time.perf_counter() - start))
        plain = taken["plain"][WARM:]
        for way in ways:
            ratio = statistics.median(one / other for one, other in zip(plain, taken[way][WARM:], strict=True))
            difference = float((probabilities[way] - probabilities["plain"]).abs().max())
            print(f"    {way}: {summarise(taken[way][WARM:])} ms, {ratio:.2f} times as fast, off by {difference:.1e}")


def batch_of(model: Model, size: int) -> Any:
    """A batch of texts."""
    (asked,) = asked_of(model, model.chosen(None))
    return asked.batches(model).make([{"text": TEXT}] * size, named_in_examples)


@torch.inference_mode()
def forward(model: Model, batch: Any) -> torch.Tensor:
    """Probabilities (B, C) of the model's only task."""
    (task,) = model.tasks.values()
    answers = task.answers(model.step(batch))
    return torch.tensor([[*answer["probabilities"].values()] for answer in answers])


def in_8_bits(checkpoint: str) -> Model:
    """The model with its encoder's linear layers in 8 bits."""
    model = renaissance.load(checkpoint)
    torch.ao.quantization.quantize_dynamic(model.encoder, {nn.Linear}, dtype=torch.qint8, inplace=True)
    return model


def compiled(checkpoint: str) -> Model:
    """The model with its encoder compiled."""
    model = renaissance.load(checkpoint)
    for part in model.encoder.children():
        part.compile(dynamic=True)
    return model


if __name__ == "__main__":
    main()
