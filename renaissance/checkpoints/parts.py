"""The parts of a training module by its tensors' names, and the settings that each part's weights settle.

A part is what the run's table prints: a tower, the fuser, a projection, or a task's head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from renaissance.models.towers.transformer import MODEL_TYPE
from renaissance.settings import Settings
from renaissance.tasks.common.task import HEAD_SUFFIX

# The parts that may be published models, with the prefix of their dimensions' settings and the setting that asks for
# random weights.
PRETRAINED = {
    "encoder": ("", "random_init_encoder"),
    "image_encoder": ("image_encoder_", "random_init_vision_encoder"),
    "text_encoder": ("text_encoder_", "random_init_text_encoder"),
    "decoder": ("decoder_", "random_init_decoder"),
}
ENCODERS = ("encoder", "image_encoder", "text_encoder")
READ_WORDS = ("encoder", "text_encoder", "decoder")  # parts that a vocabulary belongs to
SEE_PATCHES = ("encoder", "image_encoder")
DIMENSIONS = ("hidden_size", "num_heads", "num_layers", "mlp_ratio", "embedding_size")
CROSS_LAYERS = ("cross_layer_hidden_size", "num_cross_layers", "num_cross_layer_heads", "cross_layer_mlp_ratio")
WINDOW = "text_encoder_window_size"
FLAGS = {"text_encoder": ("text_encoder_config",)}  # settings of an encoder's own configuration
# What a test asks and how its captions are written: of a tested checkpoint's run, unless the user says otherwise.
QUESTIONS = frozenset(
    ("datasets", "eval_seed", "mlm_prob", "whole_word_masking", "draw_false_image", "draw_false_text",
     "val_transform_keys", "generation_strategy", "num_beams", "top_k", "top_p", "temperature", "repetition_penalty",
     "max_generated_tokens")
)  # fmt: skip
VOCABULARY = frozenset(("tokenizer", "vocab_file", "tokenizer_type", "min_frequency", "vocab_size"))


@dataclass(frozen=True)
class Constraints:
    """The settings that the weights of a part settle.

    Attributes:
        fixed: cannot differ from the weights.
        follows: can, since position embeddings are resized and dropout has no weights; taken from the checkpoint where
            the user says nothing.
    """

    fixed: frozenset[str] = frozenset()
    follows: frozenset[str] = frozenset()

    def __or__(self, other: Constraints) -> Constraints:
        return Constraints(self.fixed | other.fixed, self.follows | other.follows)


def part_of_tensor(name: str) -> str:
    """The part of a training module's tensor: `model.<part>.…`, or `tasks.<task>.…`, whose part is its head."""
    owner, first, *_ = [*name.split("."), ""]
    return first if owner == "model" else first + HEAD_SUFFIX


def pretrained_part(part: str) -> str | None:
    """The setting that names the published model of a part; None where it can be none. Several text encoders have one.

    A decoder's dimensions are those of our own one; a published one has its own.
    """
    name = re.sub(r"^text_encoder_\d+$", "text_encoder", part)
    return name if name in PRETRAINED else None


def encoder_of(part: str) -> str | None:
    """The encoder's setting that a part belongs to; None where it is no encoder."""
    name = pretrained_part(part)
    return name if name in ENCODERS else None


def dimension_settings(name: str) -> frozenset[str]:
    """The settings of a part's dimensions, and the one that turns them on."""
    prefix, _ = PRETRAINED[name]
    settings = {*(prefix + dimension for dimension in DIMENSIONS), f"{name}_manual_configuration"}
    return frozenset(settings & Settings.model_fields.keys())


def own_settings(name: str) -> frozenset[str]:
    """The settings that say how a part is built: its dimensions and the flags of its configuration."""
    return dimension_settings(name) | frozenset(FLAGS.get(name, ()))


def replaced_settings(name: str) -> frozenset[str]:
    """The settings that are the user's where the user replaces a part of a checkpoint by another published model."""
    prefix, random = PRETRAINED[name]
    own = own_settings(name) | {random, prefix + "drop_rate"}
    own |= {WINDOW} if name == "text_encoder" else frozenset()
    own |= VOCABULARY if name in READ_WORDS else frozenset()
    return own | ({"patch_size"} if name in SEE_PATCHES else frozenset())


def constraints_of(part: str, encoder_configs: Mapping[str, Any]) -> Constraints:
    """The settings that the weights of a part settle.

    Args:
        part: its name.
        encoder_configs: the checkpoint's, by which a one-tower encoder shows whether it knows words or patches.
    """
    name = pretrained_part(part)
    if name is not None:
        config = encoder_configs.get(part, {})
        prefix, random = PRETRAINED[name]
        constraints = Constraints(own_settings(name) | {name}, frozenset({random, prefix + "drop_rate"}))
        if name == "decoder":
            return constraints | CONSTRAINTS["decoder"]
        if config.get("model_type") == MODEL_TYPE:  # its weights do not depend on what its tokens see
            constraints |= Constraints(follows=frozenset({WINDOW}))
        if "vocab_size" in config:
            constraints |= CONSTRAINTS["text_embeddings"]
        if "num_channels" in config:
            constraints |= CONSTRAINTS["image_embeddings"]
        return constraints
    return CONSTRAINTS.get(part, Constraints())


CONSTRAINTS = {
    "fuser": Constraints(frozenset(CROSS_LAYERS), frozenset(("cross_layer_drop_rate",))),
    "text_projection": Constraints(frozenset(("cross_layer_hidden_size",))),
    "image_projection": Constraints(frozenset(("cross_layer_hidden_size",))),
    "pooler": Constraints(frozenset(("pooler_type",))),
    "text_embeddings": Constraints(VOCABULARY, frozenset(("max_text_len", "long_text", "text_pooling"))),
    "decoder": Constraints(VOCABULARY | {"caption_prefix_encoder"}, frozenset(("max_text_len", "long_text"))),
    "image_embeddings": Constraints(frozenset(("patch_size",)), frozenset(("image_size", "image_pooling"))),
}
