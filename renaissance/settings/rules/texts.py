"""Settings of texts that cannot go together: text encoders one by one or as lists, and the vocabulary.

Each check is a function of the settings that yields faults, a line each (see `together.py`, which runs them). Where a
checkpoint is loaded, it may bring encoders and vocabulary, so some wait until it has been read (`check_inherited`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from renaissance.commands.declaration import Check
from renaissance.settings.architectures import BUILT_IN
from renaissance.settings.decoder import encoders_read_texts, pretrained_readers
from renaissance.settings.rules.starting import loads_a_checkpoint
from renaissance.settings.schema import Settings
from renaissance.settings.text_encoders import EACH, TextEncoderSettings, text_encoder_names, text_encoders
from renaissance.settings.wordpieces import MARKING_WORDS, lacks_word_pieces


def _text_encoder_lists(settings: Settings) -> Iterator[str]:
    """Where settings of the text encoders are lists, they have a value for each."""
    if isinstance(settings.text_encoder, list) or not loads_a_checkpoint(settings):
        yield from _list_lengths(settings)


def _list_lengths(settings: Settings) -> Iterator[str]:
    count = len(text_encoder_names(settings.text_encoder))
    for name in EACH:
        value = getattr(settings, name)
        if isinstance(value, list) and len(value) != count:
            yield (
                f"{name} is a list of {len(value)}, and text_encoder names {count}: give one value for all of them, "
                "or a list with one for each"
            )


def _text_architectures(settings: Settings) -> Iterator[str]:
    """Dimensions, flags and windows go with the encoders that have them."""
    encoders = text_encoders(settings)
    windows = any(encoder.window_size is not None for encoder in encoders)
    if len(encoders) > 1 and windows and not any(encoder.name == BUILT_IN for encoder in encoders):
        yield f"text_encoder_window_size is {BUILT_IN}'s, which is not among the encoders of text_encoder"
    for encoder in encoders:
        width, heads = encoder.given.hidden_size, encoder.given.num_heads
        if width % heads:
            yield (
                f"text_encoder_hidden_size={width} is not divisible by text_encoder_num_heads={heads}: "
                "every attention head takes an equal share of the width"
            )
        ratio = encoder.given.mlp_ratio
        yield from no_inner_width("text_encoder_hidden_size", width, "text_encoder_mlp_ratio", ratio)
        if encoder.manual and not encoder.random:
            yield (
                "text_encoder_manual_configuration=True needs random_init_text_encoder=True: pretrained weights bring "
                "their own dimensions"
            )
        if not loads_a_checkpoint(settings):
            yield from _text_flags(encoder, alone=len(encoders) == 1)


def no_inner_width(width_setting: str, width: int, ratio_setting: str, ratio: float) -> Iterator[str]:
    """A fault where a feed-forward layer would have no width at all."""
    if int(width * ratio) < 1:
        yield (
            f"{ratio_setting}={ratio} leaves nothing of {width_setting}={width}: the feed-forward layers would be "
            f"{width * ratio:.3g} wide; take {ratio_setting}={1 / width:.3g} or more"
        )


def faults_of_inherited(settings: Settings, brought: Collection[str]) -> Iterator[str]:
    """What shows only when checkpoints have said which text encoders are meant: lists and flags that fit none.

    Args:
        settings: with the checkpoints' architecture.
        brought: the parts whose configurations come from checkpoints; their flags may change them.
    """
    yield from _list_lengths(settings)
    encoders = text_encoders(settings)
    for encoder in encoders:
        yield from _text_flags(encoder, alone=len(encoders) == 1, brought=encoder.part in brought)


def _text_flags(encoder: TextEncoderSettings, alone: bool, brought: bool = False) -> Iterator[str]:
    if encoder.own_flags and encoder.name == BUILT_IN:
        yield (
            f"text_encoder_config is for the flags of other architectures; {BUILT_IN} has the settings "
            "text_encoder_hidden_size, …_num_heads, …_num_layers, …_mlp_ratio, …_drop_rate, …_embedding_size and "
            "…_window_size"
        )
    elif encoder.own_flags and not encoder.random and not brought:
        yield (
            "text_encoder_config needs random_init_text_encoder=True, or an architecture such as longformer as "
            "text_encoder: pretrained weights bring their own configuration"
        )
    if alone and encoder.window_size is not None and encoder.name != BUILT_IN:
        yield (
            f"text_encoder_window_size={encoder.window_size} is {BUILT_IN}'s, and text_encoder={encoder.name!r} is "
            "another; Longformer has text_encoder_config={'attention_window': …}"
        )


def _whole_words(settings: Settings) -> Iterator[str]:
    if not settings.whole_word_masking or settings.image_only or loads_a_checkpoint(settings):
        return
    name, tokenizer = _tokenizer(settings)
    if tokenizer is None:
        yield from _built_without_words(settings)
    elif lacks_word_pieces(tokenizer):
        yield (
            f"whole_word_masking=True needs a tokenizer with word pieces, which that of {name}={tokenizer!r} does not "
            "have; give whole_word_masking=False, or another tokenizer"
        )


def _built_without_words(settings: Settings) -> Iterator[str]:
    from_file = settings.vocab_file is not None  # told when it has been read
    if not from_file and settings.tokenizer_type not in MARKING_WORDS:
        yield (
            f"whole_word_masking=True cannot tell words with tokenizer_type={settings.tokenizer_type}; give "
            "whole_word_masking=False, or tokenizer_type=wordpiece or word"
        )


def _one_vocabulary(settings: Settings) -> Iterator[str]:
    if settings.tokenizer is not None and settings.vocab_file is not None:
        yield "tokenizer and vocab_file cannot both be given: each brings a vocabulary of its own"
    pretrained = [encoder.name for encoder in text_encoders(settings) if not encoder.random]
    if (
        settings.vocab_file is not None
        and encoders_read_texts(settings)
        and settings.model_type != "one-tower"
        and pretrained
        and not loads_a_checkpoint(settings)
    ):
        yield (
            f"vocab_file={settings.vocab_file!r} numbers its tokens in its own way, and text_encoder="
            f"{pretrained[0]!r} knows those of its own tokenizer; give random_init_text_encoder=True, or no vocab_file"
        )
    if settings.tokenizer is not None and settings.tokenizer_type != "wordpiece":
        yield (
            f"tokenizer_type={settings.tokenizer_type} is for a vocabulary that is built, or a vocab_file; "
            f"tokenizer={settings.tokenizer!r} splits texts in its own way"
        )


def _tokenizer(settings: Settings) -> tuple[str, str | None]:
    """The setting that names the tokenizer, and its name; None where the vocabulary is built, or read from a file."""
    if settings.tokenizer is not None or settings.vocab_file is not None:
        return "tokenizer", settings.tokenizer
    return next(iter(pretrained_readers(settings)), ("text_encoder", None))


TEXT: list[Check] = [_text_encoder_lists, _text_architectures, _whole_words, _one_vocabulary]
