"""Which of a run's training examples an epoch has: by the weights of data sets and of captions.

Comes in: the settings, and the examples of a group of tasks. Goes out: a `Selection`, or None for all examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from renaissance.data.batches.selection import CaptionDraw, Selection, probabilities_of
from renaissance.data.examples.tables import TableExamples
from renaissance.errors import UserError
from renaissance.settings import Settings

SOURCE = "source"  # the column that says where a caption comes from
UNNAMED = "caption"  # what the captions of a table without such a column go by


def select_training(settings: Settings, examples: TableExamples) -> Selection | None:
    """What an epoch takes of the training examples; None where that is every one.

    Args:
        settings: the run's settings.
        examples: of the training split.

    Raises:
        UserError: an image has no caption with a weight.
    """
    draw, sizes = None, _by_data_set(examples, [int(counts.sum()) for counts in examples.text_counts()])
    if settings.caption_weights and examples.needs.text and SOURCE in examples.needs.schema.columns:
        draw, sizes = _caption_draw(settings, examples)
    selection = Selection(sizes, settings.dataset_weights, settings.seed, draw)
    return None if draw is None and len(selection) == len(examples) else selection


def check_captions_drawn(settings: Settings, selections: Sequence[Selection | None]) -> None:
    """See that `caption_weights` has an effect.

    Args:
        settings: the run's settings.
        selections: those of all its groups of tasks.

    Raises:
        UserError: no group reads captions of images.
    """
    if settings.caption_weights and not any(one is not None and one.draws_captions for one in selections):
        raise UserError(
            f"caption_weights draws captions of images, and {', '.join(settings.active_tasks())} reads none. Leave it "
            "out, or train a task that does, such as mlm."
        )


def selection_in_words(selection: Selection, settings: Settings) -> str:
    """What an epoch takes of each data set, for the run's output."""
    kind = "images" if selection.draws_captions else "examples"
    shares = ", ".join(
        f"{share.taken:,} of {share.size:,} {kind} of {share.name} ({share.taken / len(selection):.1%})"
        for share in selection.shares
    )
    if not selection.draws_captions:
        return f"an epoch takes {shares}"
    weights = ", ".join(f"{name} {weight:g}" for name, weight in settings.caption_weights.items())
    return f"an epoch takes {shares}; of each image one caption, drawn by {weights}"


def _by_data_set(examples: TableExamples, sizes: list[int]) -> dict[str, int]:
    """The sizes of tables, added up for each data set; a data set's tables follow each other."""
    totals: dict[str, int] = {}
    for name, size in zip(examples.data_sets, sizes, strict=True):
        totals[name] = totals.get(name, 0) + size
    return totals


def _caption_draw(settings: Settings, examples: TableExamples) -> tuple[CaptionDraw, dict[str, int]]:
    """How a caption of an image is drawn, and the images of each data set that have one."""
    of_tables = examples.text_counts()
    counts = np.concatenate(of_tables)
    names: dict[str, int] = {}
    sources = np.concatenate([*_sources(examples, of_tables, names)])
    unknown = [name for name in settings.caption_weights if name not in names]
    if unknown:
        raise UserError(
            f"caption_weights names {', '.join(unknown)}, and the captions of {examples.describe()} come from "
            f"{', '.join(names)}."
        )
    rows = np.repeat(np.arange(len(counts)), counts)
    weights = np.array([settings.caption_weights.get(name, 0.0) for name in names])
    probabilities = probabilities_of(rows, sources, weights)
    without = np.flatnonzero((counts > 0) & (np.bincount(rows, probabilities, len(counts)) == 0))
    if len(without):
        where = examples.where(examples.of_row(int(without[0])).start)
        raise UserError(
            f"caption_weights leaves {len(without):,} images without a caption that could be drawn; the first is "
            f"{where}. The captions come from {', '.join(names)}: give those of such images a weight, too."
        )
    sizes = _by_data_set(examples, [int(np.count_nonzero(of_table)) for of_table in of_tables])
    return CaptionDraw(counts[counts > 0], probabilities), sizes


def _sources(
    examples: TableExamples, counts: list[NDArray[np.int64]], names: dict[str, int]
) -> Iterator[NDArray[np.int64]]:
    """Of each table, the numbers of its captions' sources; `names` gets the sources."""
    for of_table, values in zip(counts, examples.values(SOURCE), strict=True):
        if values is None:
            yield np.full(int(of_table.sum()), names.setdefault(UNNAMED, len(names)))
            continue
        encoded = pa.array(values.fill_null(UNNAMED)).dictionary_encode()
        numbers = [names.setdefault(name, len(names)) for name in encoded.dictionary.to_pylist()]
        yield np.array(numbers, np.int64)[encoded.indices.to_numpy()]
