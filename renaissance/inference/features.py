"""Features of whole tables: a trained model over a table's examples, in batches, one block of vectors after the other.

In: a `Model`, and examples out of tables. Out: (N, D) float32 on the CPU, batch by batch, in the order of the examples.
Worker processes decode and tokenize as in training, and what comes out does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.loader import make_eval_loader
from renaissance.data.examples.interface import Examples
from renaissance.settings import Settings
from renaissance.tasks.common.step import Step

if TYPE_CHECKING:
    from renaissance.inference.model import Model

Encode = Callable[[Step], Tensor]  # one vector an example, (B, D)


def stream_features(
    model: Model, examples: Examples, encode: Encode, settings: Settings, what: str
) -> Iterator[Tensor]:
    """Features of all examples, a batch at a time; with a progress bar.

    Args:
        model: the trained model.
        examples: N examples.
        encode: makes vectors of a batch.
        settings: of the command: batch size and worker processes.
        what: names the progress bar.

    Yields:
        (B, D) float32 on the CPU.

    Raises:
        UserError: an image or a table cannot be read.
    """
    maker = BatchMaker(examples, model.transform, model.text, {}, model.settings.eval_seed, training=False)
    loader = make_eval_loader(
        maker,
        batch_size=settings.eval_batch_size,
        num_workers=settings.worker_processes(),
        pin_memory=model.device.type == "cuda",
    )
    with torch.no_grad(), tqdm(total=len(examples), desc=what, unit="example", disable=None, leave=False) as bar:
        try:
            for batch in loader:
                yield encode(model.step(batch)).float().cpu()
                bar.update(batch.examples)
        finally:
            loader.close()


def features_of(model: Model, examples: Examples, encode: Encode, settings: Settings, what: str) -> Tensor:
    """Features (N, D) of all examples, in memory; the arguments are those of `stream_features`."""
    return torch.cat(list(stream_features(model, examples, encode, settings, what)))


def device_of(settings: Settings) -> str:
    """Where a command computes: on a GPU, where there is one and `num_gpus` is not 0."""
    return "cuda" if settings.num_gpus != 0 and torch.cuda.is_available() else "cpu"
