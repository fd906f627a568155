"""What a run reads: the examples of its splits, and the tokenizer of their texts.

Comes in: the settings, and what the tasks read. Goes out: sources of examples by split, and a `TextProcessor`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from renaissance.data.examples.schema import DataNeeds
from renaissance.data.examples.source import ExampleSource, open_split
from renaissance.data.tables.find import has_split, tables_lie_there
from renaissance.data.tables.parameters import remarks_on_tables
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.training.devices import say


def joined_needs(needs: Mapping[str, DataNeeds], settings: Settings) -> DataNeeds:
    """What a run reads of each example.

    Args:
        needs: what each of its tasks reads, by name.
        settings: the run's settings.

    Raises:
        UserError: the tasks read different data.
    """
    kinds = sorted({need.kind for need in needs.values()})
    if len(kinds) > 1:
        raise UserError(
            f"loss_names: the tasks {', '.join(needs)} read different data ({', '.join(kinds)}) "
            "and cannot share a batch; train them one after the other with load_path."
        )
    image = any(need.image for need in needs.values())
    text = any(need.text for need in needs.values()) and not settings.image_only
    return DataNeeds(kind=kinds[0], image=image, text=text)


def open_sources(settings: Settings, needs: DataNeeds, chosen: Collection[str]) -> dict[str, ExampleSource]:
    """The examples of the splits that a run uses and that are there, with remarks on where they are not as asked for.

    Args:
        settings: the run's settings.
        needs: what it reads.
        chosen: the names of the settings that the user set.

    Raises:
        UserError: a table is missing or cannot be used.
    """
    sources = _tested(settings, needs) if settings.test_only else _trained_on(settings, needs)
    for remark in remarks_on_tables([path for source in sources.values() for path in source.paths], settings, chosen):
        say(remark)
    return sources


def _tested(settings: Settings, needs: DataNeeds) -> dict[str, ExampleSource]:
    """The test split, or validation where there is none; an empty one where own images alone are described."""
    names = ", ".join(settings.datasets)
    if _describes_own_images_alone(settings, needs):
        say(f"no tables of {names} under {settings.data_root}: only your own images")
        return {"test": ExampleSource([], needs)}
    if has_split(settings, needs.kind, "test"):
        return {"test": open_split(settings, needs, "test")}
    say(f"no test table for {names}: testing on the validation data")
    return {"test": open_split(settings, needs, "val")}


def _trained_on(settings: Settings, needs: DataNeeds) -> dict[str, ExampleSource]:
    """The training split, which has to be there, and the others where they are."""
    sources = {"train": open_split(settings, needs, "train")}
    splits: tuple[str, ...] = ("val", "test")
    for split in splits:
        if has_split(settings, needs.kind, split):
            sources[split] = open_split(settings, needs, split)
    return sources


def _describes_own_images_alone(settings: Settings, needs: DataNeeds) -> bool:
    """Whether a test has `manual_inputs` to describe and no tables; then it needs none, and none is drawn for it."""
    splits: tuple[str, ...] = ("test", "val")
    return bool(settings.manual_inputs) and not any(tables_lie_there(settings, needs.kind, split) for split in splits)


def text_processor(
    settings: Settings, needs: DataNeeds, sources: Mapping[str, ExampleSource], kept: dict[str, Any] | None
) -> TextProcessor | None:
    """The tokenizer of a run; None where no task reads text.

    Args:
        settings: the run's settings.
        needs: what it reads.
        sources: its examples, of whose training texts a vocabulary is built where none is given.
        kept: the state of a checkpoint's tokenizer; None to take the settings' one.

    Raises:
        UserError: the tokenizer or the vocabulary cannot be used.
    """
    if not needs.text:
        return None
    if kept is not None:
        text = TextProcessor.from_state(kept, settings.max_text_len, settings.long_text)
        if settings.whole_word_masking:
            text.check_knows_words("checkpoint's vocabulary")
        return text
    return TextProcessor.from_settings(settings, lambda: sources["train"].texts())
