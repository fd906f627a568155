"""What texts and images become before a model takes them."""

from __future__ import annotations

from typing import Annotated

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import FixedByWeights, FollowsWeights, OfVocabulary, Question
from renaissance.settings.on_resume import Changes, Fixed


class TextSettings(SettingsGroup):
    """How texts become tokens, and one vector."""

    max_text_len: Annotated[Fixed[value_types.TextLength], FollowsWeights("text_embeddings"), FollowsWeights("decoder")]
    long_text: Annotated[Fixed[value_types.LongText], FollowsWeights("text_embeddings"), FollowsWeights("decoder")]
    text_pooling: Annotated[Fixed[value_types.Pooling], FollowsWeights("text_embeddings")]
    vocab_size: OfVocabulary[Fixed[value_types.OptionalCount]]
    tokenizer: OfVocabulary[Fixed[value_types.OptionalPretrained]]
    vocab_file: OfVocabulary[Fixed[value_types.OptionalFile]]
    tokenizer_type: OfVocabulary[Fixed[value_types.TokenizerType]]
    min_frequency: OfVocabulary[Fixed[value_types.Count]]


class ImageSettings(SettingsGroup):
    """How image files become pixels, patches, and one vector."""

    image_size: Annotated[Fixed[value_types.Count], FollowsWeights("image_embeddings")]
    original_image_size: Fixed[value_types.OptionalCount]
    patch_size: Annotated[Fixed[value_types.OptionalCount], FixedByWeights("image_embeddings")]
    image_only: Fixed[value_types.Switch]
    image_pooling: Annotated[Fixed[value_types.Pooling], FollowsWeights("image_embeddings")]
    train_transform_keys: Fixed[value_types.TransformKeys]
    val_transform_keys: Question[Fixed[value_types.TransformKeys]]
    caption_crop_area: Fixed[value_types.CropArea]
    randaugment_operations: Fixed[value_types.Count]
    randaugment_magnitude: Fixed[value_types.Magnitude]
    patch_dropout: Changes[value_types.Rate]
