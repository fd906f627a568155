"""A joint space judged on a whole split: every text ranks all images, and every image all texts.

The features are kept, each image's once, O(N · E) numbers; similarities exist a block at a time. Where several devices
share the split, each gets the features of all and ranks its share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from renaissance.tasks.common.evaluation import Evaluation, Split
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.metrics.recall import chance_recalls, median_ranks, ranks_of_best, recalls

COMPARED = 256  # examples that are each other's negatives in the loss, at most
PAIRS = 2**21  # similarities that exist at once, at most: 8 MB, which a processor's cache holds in part
# Cosines of float32 features that differ by less are equal: equal captions, padded differently, differ by as much.
ROUNDING = 1e-6
PATIENCE_SECONDS = 2.0  # before a progress bar is shown


class Compared(Protocol):
    """What is asked of the task."""

    def loss_over(self, contributions: Mapping[str, Tensor]) -> Outcome:
        """The loss and the metrics' values of N examples, all that are compared with each other."""


class JointSpaceEvaluation(Evaluation):
    """Recall at 1, 5 and 10 and the median rank, of the image to a text (`ir_r1`) and of a text to an image (`tr_r1`).

    An image counts when one of its texts is found. Ties count against the model, to within rounding. Loss and accuracy
    are those of training, over random batches of `COMPARED`: the same at every evaluation, whatever batches and devices
    the split comes in and whatever batch a run was trained with, so that runs can be compared.

    Args:
        task: what is judged.
        split: on what.
    """

    def __init__(self, task: Compared, split: Split) -> None:
        self._task = task
        self._split = split
        self._seen: list[dict[str, Tensor]] = []  # of each batch
        self._images: list[tuple[Tensor, Tensor]] = []  # of each batch: rows and features of images not seen before
        self._rows: set[int] = set()
        self._device = torch.device("cpu")
        self._chance: dict[str, float] = {}

    def update(self, step: Step, outcome: Outcome) -> None:
        assert step.batch.row is not None
        kept = {name: outcome.details[name] for name in ("text", "text_id", "image_id")}
        self._device = kept["text"].device
        self._seen.append(_on_cpu({**kept, "index": step.batch.index, "row": step.batch.row}))
        new = [place for place, row in enumerate(step.batch.row.tolist()) if self._is_new(row)]
        if new:
            images = _on_cpu({"row": step.batch.row[new], "image": outcome.details["image"][new]})
            self._images.append((images["row"], images["image"]))

    def _is_new(self, row: int) -> bool:
        found = row not in self._rows
        self._rows.add(row)
        return found

    @torch.no_grad()
    def compute(self) -> dict[str, float]:
        seen = self._split.gathered(self._seen)
        texts = {name: torch.cat([batch[name] for batch in seen]) for name in self._seen[0]}
        order = texts["index"].argsort()
        texts = {name: value[order] for name, value in texts.items()}
        rows, images = self._all_images()
        owner = torch.searchsorted(rows, texts["row"])
        own_texts = owner.argsort(stable=True)  # by image
        of_images = self._ranks(texts["text"], images, torch.arange(len(owner)), owner)
        of_texts = self._ranks(images, texts["text"], owner[own_texts], own_texts)
        self._chance = chance_recalls(torch.bincount(owner))
        asked = {name: texts[name] for name in ("text", "text_id", "image_id")} | {"image": images[owner]}
        return self._trained_for(asked) | recalls(of_images, of_texts) | median_ranks(of_images, of_texts)

    def chance(self) -> dict[str, float]:
        return self._chance

    def _all_images(self) -> tuple[Tensor, Tensor]:
        """The rows (I,) of all images, ascending, and their features (I, E); two devices may have seen one."""
        found = self._split.gathered(self._images)
        rows, images = (torch.cat([part[place] for part in found]) for place in (0, 1))
        distinct, place = np.unique(rows.numpy(), return_index=True)
        return torch.from_numpy(distinct), images[torch.from_numpy(place)]

    def _trained_for(self, asked: Mapping[str, Tensor]) -> dict[str, float]:
        """The training's loss and accuracy, over random batches that are equally large as near as can be."""
        number = len(asked["text"])
        order = torch.from_numpy(self._split.stream(0, "contrastive batches").permutation(number))
        found: dict[str, list[Tensor]] = {"loss": [], "accuracy": []}
        for chosen in order.tensor_split(-(-number // COMPARED)):
            values = self._task.loss_over(
                {name: value[chosen].to(self._device) for name, value in asked.items()}
            ).values
            for name, parts in found.items():
                parts.append(values[name].cpu())
        return {name: float(torch.cat(parts).double().mean()) for name, parts in found.items()}

    def _ranks(self, queries: Tensor, candidates: Tensor, query: Tensor, candidate: Tensor) -> Tensor:
        """At which place each query finds the best of its own candidates (Q,).

        Args:
            queries: (Q, E).
            candidates: (C, E).
            query: (M,) long, ascending: the queries of the pairs that belong together.
            candidate: (M,) long, their candidates.
        """
        own, world = _rank(), self._split.world_size
        share = range(own * len(queries) // world, (own + 1) * len(queries) // world)
        others = candidates.to(self._device).T
        block = max(1, PAIRS // len(candidates))
        # Made once and filled: small results kept from between large ones would leave holes that no block fits into.
        ranks = torch.empty(len(share), dtype=torch.long)
        starts = range(share.start, share.stop, block)
        for start in tqdm(starts, desc="ranks", unit=" blocks", disable=None, leave=False, delay=PATIENCE_SECONDS):
            end = min(start + block, share.stop)
            first, last = torch.searchsorted(query, torch.tensor([start, end])).tolist()
            scores = queries[start:end].to(self._device) @ others
            pairs = (query[first:last] - start).to(self._device), candidate[first:last].to(self._device)
            ranks[start - share.start : end - share.start] = ranks_of_best(scores, *pairs, tolerance=ROUNDING)
        return torch.cat(self._split.gathered([ranks]))


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}


def _rank() -> int:
    """The number of this process among those that share the split."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
