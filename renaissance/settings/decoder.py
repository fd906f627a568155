"""What the settings say of a pretrained text decoder, and of the encoders that read texts beside it."""

from __future__ import annotations

from renaissance.settings.discovery import task_attribute, task_reads
from renaissance.settings.model import Settings


def pretrained_decoder(settings: Settings) -> str | None:
    """The decoder whose weights, and so whose tokenizer, a run begins with; None where it writes with none such."""
    writing = any(task_attribute(task, "writes") for task in settings.active_tasks())
    return settings.decoder if writing and not settings.random_init_decoder else None


def encoders_read_texts(settings: Settings) -> bool:
    """Whether an encoder reads texts: a task that writes leaves that to its decoder, prefixes aside."""
    reading = [task for task in settings.active_tasks() if "text" in task_reads(task)]
    return any(settings.caption_prefix_encoder or not task_attribute(task, "writes") for task in reading)
