"""What the settings say of the text decoder, and of the pretrained encoders that read beside it."""

from __future__ import annotations

from dataclasses import dataclass

from renaissance.settings.discovery import task_reads
from renaissance.settings.groups.group import EncoderDimensions
from renaissance.settings.schema import ModelAndTaskSettings, ModelSettings
from renaissance.settings.text_encoders import text_encoders
from renaissance.tasks.registry import declaration_of


@dataclass(frozen=True)
class DecoderSettings:
    """What a text decoder is built from.

    Attributes:
        name: a published language model, or a folder; None for our own decoder.
        random: a published one's weights begin at random.
        dimensions: our own one's.
        frozen: its weights stay as they are; of a published one what attends to the encoders is trained.
        freeze_random: weights that begin at random may be frozen.
        reads_prefix: it attends to a text too, the beginning of what it goes on with.
        max_text_len: tokens of the longest text that it knows.
    """

    name: str | None
    random: bool
    dimensions: EncoderDimensions
    frozen: bool
    freeze_random: bool
    reads_prefix: bool
    max_text_len: int

    @property
    def begins_trained(self) -> bool:
        """Whether its weights are those that were published."""
        return self.name is not None and not self.random


def decoder_settings(settings: ModelSettings) -> DecoderSettings:
    """What the settings say of the text decoder."""
    return DecoderSettings(
        name=settings.decoder,
        random=settings.random_init_decoder,
        dimensions=settings.decoder_dimensions(),
        frozen=settings.freeze_decoder,
        freeze_random=settings.freeze_random,
        reads_prefix=settings.caption_prefix_encoder,
        max_text_len=settings.max_text_len,
    )


def pretrained_decoder(settings: ModelAndTaskSettings) -> str | None:
    """The decoder whose weights, and so whose tokenizer, a run begins with; None where it writes with none such."""
    writing = any(declaration_of(task).writes for task in settings.active_tasks())
    return settings.decoder if writing and not settings.random_init_decoder else None


def encoders_read_texts(settings: ModelAndTaskSettings) -> bool:
    """Whether an encoder reads texts: a task that writes leaves that to its decoder, prefixes aside."""
    reading = [task for task in settings.active_tasks() if "text" in task_reads(task)]
    return any(settings.caption_prefix_encoder or not declaration_of(task).writes for task in reading)


def pretrained_readers(settings: ModelAndTaskSettings) -> list[tuple[str, str]]:
    """The setting and the name of each pretrained model that reads or writes a run's tokens, the decoder's first.

    A one-tower encoder is among them whether it knows words or patches: its name does not tell.
    """
    decoder = pretrained_decoder(settings)
    readers = [("decoder", decoder)] if decoder is not None else []
    if readers and not encoders_read_texts(settings):
        return readers
    if settings.model_type == "one-tower":
        return [*readers, *([] if settings.random_init_encoder else [("encoder", settings.encoder)])]
    setting = "text_encoder" if settings.clip_model is None else "clip_model"
    return [*readers, *((setting, encoder.name) for encoder in text_encoders(settings) if not encoder.random)]
