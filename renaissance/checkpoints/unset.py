"""What a setting that a checkpoint's run left at None came to: the vocabulary's size, the encoder's own patches."""

from __future__ import annotations

from typing import Any

from renaissance.checkpoints.checkpoint import ModelDescription
from renaissance.data.text.processor import TextProcessor


def came_to(name: str, description: ModelDescription) -> Any:
    """The value that a setting has in a checkpoint; of one that was left at None what the checkpoint's content says."""
    saved = description.settings[name]
    if saved is None and name == "vocab_size" and description.text is not None:
        return TextProcessor.from_state(description.text).vocab_size
    if saved is None and name == "patch_size":
        sizes = {config.get(name) for config in description.encoder_configs.values()} - {None}
        return sizes.pop() if len(sizes) == 1 else None
    return saved


def in_words(name: str, description: ModelDescription) -> str:
    """A checkpoint's value of a setting for a message, with what is meant where its run left the setting at None."""
    saved, value = description.settings[name], came_to(name, description)
    if saved is not None:
        return repr(saved)
    if value is not None:
        return f"{value!r} (its run left {name} at None)"
    words = (
        description.text and f", its vocabulary has {TextProcessor.from_state(description.text).vocab_size:,} entries"
    )
    return "None" + (words if words and name in ("tokenizer", "vocab_file") else "")
