"""From settings to a text decoder on top of a model: our own, or a language model of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renaissance.data.text.processor import TextProcessor
from renaissance.models.decoders.interface import Decoder
from renaissance.models.decoders.pretrained import build_pretrained_decoder
from renaissance.models.decoders.transformer import TextDecoder
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.pretrained.sources import EncoderRequest
from renaissance.settings.decoder import DecoderSettings
from renaissance.settings.marked import setting_of


def add_decoder(
    model: VisionLanguageEncoder,
    settings: DecoderSettings,
    text: TextProcessor,
    config: dict[str, Any] | None,
    notes: list[str],
) -> None:
    """Put the decoder that the settings describe on a model, whose images it sees, and whose text where that is asked.

    Pretrained weights learn as slowly as those of pretrained encoders; with them frozen only new ones are left.

    Args:
        model: the encoder.
        settings: the run's, of the decoder.
        text: the run's tokenizer.
        config: the decoder's configuration in a checkpoint; None where it comes from none.
        notes: what the user should know is added here.

    Raises:
        UserError: it cannot be had, or cannot be a decoder, or knows other tokens than this run's.
    """
    sizes = {"image": model.image_size, **({"text": model.text_size} if settings.reads_prefix else {})}
    learns_slowly = settings.begins_trained and not settings.frozen
    decoder = build_decoder(settings, text, sizes, config, notes)
    if settings.frozen:
        decoder.freeze()
    model.add_decoder(decoder, "tower" if learns_slowly else "head", frozen=settings.frozen)


def build_decoder(
    settings: DecoderSettings,
    text: TextProcessor,
    context_sizes: Mapping[str, int],
    config: dict[str, Any] | None,
    notes: list[str],
) -> Decoder:
    """The decoder that the settings describe.

    Args:
        settings: the run's, of the decoder.
        text: the run's tokenizer.
        context_sizes: the width of each kind of features that it attends to, by name.
        config: the Hugging Face configuration that a checkpoint brought along. Nothing is fetched then, and the weights
            are random until the checkpoint's are loaded.
        notes: what the user should know is added here.

    Raises:
        UserError: it cannot be had, or cannot be a decoder, or knows other tokens than this run's.
    """
    if settings.name is None:
        return TextDecoder(settings.dimensions, text.vocab_size, settings.max_text_len, context_sizes)
    request = EncoderRequest(
        name=settings.name,
        setting="decoder",
        random_setting=setting_of("decoder", "random"),
        random=settings.random,
        config=config,
        frozen=settings.frozen and not settings.freeze_random,
    )
    if config is None and not request.random:
        text.check_same(request.name, request.setting)
    return build_pretrained_decoder(
        request,
        context_sizes,
        vocab_size=text.vocab_size,
        pad_id=text.pad_id,
        max_text_len=settings.max_text_len,
        notes=notes,
    )
