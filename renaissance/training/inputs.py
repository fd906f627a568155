"""What a run reads: the examples of its splits, by groups of tasks that read the same, and their tokenizer.

Comes in: the settings, and what the tasks read. Goes out: `TaskGroup`s, and a `TextProcessor`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from renaissance.data.batches.selection import Selection
from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.data.examples.schema import DataNeeds, Schema
from renaissance.data.examples.tables import TableExamples, open_split
from renaissance.data.tables.find import sets_without, splits_there, tables_lie_there
from renaissance.data.tables.parameters import remarks_on_tables
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.settings.schema import ModelAndTaskSettings, TableSettings
from renaissance.training.devices import say
from renaissance.training.selecting import check_captions_drawn, select_training

TEST = "test"  # the split that a test is on where it is told of no other
_TEXTS_LOOKED_AT = 1000
_MOST_UNSPELLED = 0.05  # of the texts, without a remark


@dataclass
class TaskGroup:
    """Tasks whose examples have one schema, so that they share batches.

    Attributes:
        needs: what they read together.
        tasks: their names.
        share: of the optimiser steps that this group gets, beside the other groups' shares.
        examples: by split; training is there unless a run only tests.
        selection: which training examples an epoch has; None for all.
    """

    needs: DataNeeds
    tasks: tuple[str, ...]
    share: float
    examples: dict[str, TableExamples]
    selection: Selection | None = None

    @property
    def examples_an_epoch(self) -> int:
        """How many training examples an epoch has."""
        return len(self.examples[TRAIN] if self.selection is None else self.selection)

    @property
    def name(self) -> str:
        """The name of the schema."""
        return self.needs.schema.name


def task_groups(needs: Mapping[str, DataNeeds], settings: ModelAndTaskSettings) -> list[TaskGroup]:
    """The tasks of a run in groups, as yet without examples.

    Args:
        needs: what each of its tasks reads, by name.
        settings: the run's settings.

    Raises:
        UserError: `step_shares` names data that no task of the run reads, or tasks differ in what they call a column.
    """
    groups = []
    for name in dict.fromkeys(need.schema.name for need in needs.values()):
        own = {task: need for task, need in needs.items() if need.schema.name == name}
        image = any(need.image for need in own.values())
        text = any(need.text for need in own.values()) and not settings.image_only
        schema = _joined(own)
        share = settings.step_shares.get(name, 1.0)
        groups.append(TaskGroup(DataNeeds(schema, image, text), tuple(own), share, {}))
    unknown = sorted(settings.step_shares.keys() - {group.name for group in groups})
    if unknown:
        raise UserError(
            f"step_shares names {', '.join(unknown)}, and the tasks read {', '.join(group.name for group in groups)}."
        )
    return groups


def _joined(needs: Mapping[str, DataNeeds]) -> Schema:
    """The columns of all the tasks that read one schema: a plug-in's task may know of other ones than ours.

    Raises:
        UserError: two of them mean different columns by one name.
    """
    (first, joined), *others = ((task, need.schema) for task, need in needs.items())
    for task, schema in others:
        for name, column in schema.columns.items():
            if joined.columns.get(name, column) != column:
                raise UserError(
                    f"{first} and {task} read different columns of {schema.name} examples as {name!r} "
                    f"({joined.columns[name].name!r} and {column.name!r}, or of other types), so they cannot share a "
                    "batch. Train them one after the other with load_path, or give one schema another name."
                )
        joined = replace(joined, columns={**joined.columns, **schema.columns})
    return joined


def open_groups(settings: Settings, groups: Sequence[TaskGroup], chosen: Collection[str]) -> None:
    """Open the splits that a run uses and that are there, with remarks on where they are not as asked for.

    Args:
        settings: the run's settings.
        groups: the tasks; they get their examples.
        chosen: the names of the settings that the user set.

    Raises:
        UserError: a table is missing or cannot be used.
    """
    for group in groups:
        opened = _tested(settings, group.needs) if settings.test_only else _trained_on(settings, group.needs)
        group.examples.update(opened)
        if TRAIN in opened:
            _check_answers(opened[TRAIN], group.tasks)
            group.selection = select_training(settings, opened[TRAIN])
    if not settings.test_only:
        check_captions_drawn(settings, [group.selection for group in groups])
    schemas = [group.name for group in groups]
    unread = sets_without(settings, schemas)
    if unread:
        say(f"datasets: nothing is read of {', '.join(unread)}: no {' or '.join(schemas)} examples")
    for remark in remarks_on_tables([path for _, one in each_split(groups) for path in one.paths], settings, chosen):
        say(remark)


def each_split(groups: Sequence[TaskGroup]) -> Iterator[tuple[str, TableExamples]]:
    """Every split of every group, with its examples."""
    for group in groups:
        yield from group.examples.items()


def split_names(groups: Sequence[TaskGroup]) -> list[str]:
    """The splits of a run, each once: train, val, then those to test on."""
    return list(dict.fromkeys(split for split, _ in each_split(groups)))


def tested_splits(groups: Sequence[TaskGroup]) -> list[str]:
    """The splits that a run is tested on: all but train and val."""
    return [split for split in split_names(groups) if split not in (TRAIN, VAL)]


def _tested(settings: Settings, needs: DataNeeds) -> dict[str, TableExamples]:
    """The splits to test on, or validation where there are none; an empty one where own images alone are described."""
    names, schema = ", ".join(settings.datasets), needs.schema.name
    if settings.manual_inputs and not tables_lie_there(settings, schema):  # it needs none, and none is drawn for it
        say(f"no tables of {names} under {settings.data_root}: only your own images")
        return {TEST: TableExamples([], needs)}
    there = [split for split in splits_there(settings, schema) if split not in (TRAIN, VAL)]
    if there:
        return {split: open_split(settings, needs, split) for split in there}
    say(f"no test table for {names}: testing on the validation data")
    return {TEST: open_split(settings, needs, VAL)}


def _trained_on(settings: TableSettings, needs: DataNeeds) -> dict[str, TableExamples]:
    """The training split, which has to be there, and the others where they are."""
    there = splits_there(settings, needs.schema.name)
    return {split: open_split(settings, needs, split) for split in dict.fromkeys([TRAIN, *there])}


def _check_answers(examples: TableExamples, tasks: Sequence[str]) -> None:
    """Refuse to train where there is nothing to learn from. Raises UserError: no example has an answer."""
    answers = [role for role, column in examples.needs.columns().items() if column.type in ("class", "classes")]
    missing = [role for role in answers if not examples.has(role)]
    if missing:
        names = ", ".join(examples.needs.schema.columns[role].name for role in missing)
        raise UserError(
            f"{examples.describe()} has no answers ({names}), so {', '.join(tasks)} cannot be trained on it. Answers "
            "are left out of splits that are tested alone; is it such a split under this name?"
        )


def text_processor(
    settings: ModelAndTaskSettings, groups: Sequence[TaskGroup], kept: dict[str, Any] | None
) -> TextProcessor | None:
    """The tokenizer of a run; None where no task reads text.

    Args:
        settings: the run's settings.
        groups: its tasks, of whose training texts a vocabulary is built where none is given.
        kept: the state of a checkpoint's tokenizer; None to take the settings' one.

    Raises:
        UserError: the tokenizer or the vocabulary cannot be used.
    """
    reading = [group for group in groups if group.needs.text]
    if not reading:
        return None
    if kept is not None:
        text = TextProcessor.from_state(kept, settings.max_text_len, settings.long_text)
        if settings.whole_word_masking:
            text.check_knows_words("checkpoint's vocabulary")
        for remark in _remarks_on_unspelled(text, reading):
            say(remark)
        return text
    return TextProcessor.from_settings(
        settings, lambda: (text for group in reading for text in group.examples[TRAIN].texts())
    )


def _remarks_on_unspelled(text: TextProcessor, groups: Sequence[TaskGroup]) -> Iterator[str]:
    """A line for each kind of examples whose texts a checkpoint's vocabulary often cannot spell."""
    for group in groups:
        if TRAIN in group.examples:
            texts = list(islice(group.examples[TRAIN].texts(), _TEXTS_LOOKED_AT))
            unspelled = text.count_unspelled(texts)
            if unspelled > _MOST_UNSPELLED * len(texts):
                yield (
                    f"{group.name}: {unspelled} of the first {len(texts)} training texts have words that the "
                    "checkpoint's vocabulary has no pieces for, so the model cannot tell these words apart. Where they "
                    "matter, begin without the checkpoint: a vocabulary is then built from these texts."
                )
