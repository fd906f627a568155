"""What the settings say of the pretrained models of texts: a decoder, and the encoders that read beside it."""

from __future__ import annotations

from renaissance.settings.discovery import task_reads
from renaissance.settings.schema import Settings
from renaissance.settings.text_encoders import text_encoders
from renaissance.tasks.registry import declaration_of


def pretrained_decoder(settings: Settings) -> str | None:
    """The decoder whose weights, and so whose tokenizer, a run begins with; None where it writes with none such."""
    writing = any(declaration_of(task).writes for task in settings.active_tasks())
    return settings.decoder if writing and not settings.random_init_decoder else None


def encoders_read_texts(settings: Settings) -> bool:
    """Whether an encoder reads texts: a task that writes leaves that to its decoder, prefixes aside."""
    reading = [task for task in settings.active_tasks() if "text" in task_reads(task)]
    return any(settings.caption_prefix_encoder or not declaration_of(task).writes for task in reading)


def pretrained_readers(settings: Settings) -> list[tuple[str, str]]:
    """The setting and the name of each pretrained model that reads or writes a run's tokens, the decoder's first.

    A one-tower encoder is among them whether it knows words or patches: its name does not tell.
    """
    decoder = pretrained_decoder(settings)
    readers = [("decoder", decoder)] if decoder is not None else []
    if readers and not encoders_read_texts(settings):
        return readers
    if settings.model_type == "one-tower":
        return [*readers, *([] if settings.random_init_encoder else [("encoder", settings.encoder)])]
    return [*readers, *(("text_encoder", encoder.name) for encoder in text_encoders(settings) if not encoder.random)]
