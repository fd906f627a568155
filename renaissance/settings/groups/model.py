"""What the model is made of."""

from __future__ import annotations

from typing import Annotated

from renaissance.settings import value_types
from renaissance.settings.groups.group import EncoderDimensions, PartSettings, SettingsGroup
from renaissance.settings.marks import FixedByWeights, OfPart
from renaissance.settings.on_resume import Fixed


class ArchitectureSettings(SettingsGroup):
    """Which architecture the model has."""

    clip_model: Fixed[value_types.OptionalPretrained]
    model_type: Fixed[value_types.ModelType]


class OneTowerSettings(PartSettings):
    """The one-tower model's encoder."""

    encoder: Annotated[Fixed[value_types.Pretrained], OfPart("encoder", "name")]
    pooler_type: Annotated[Fixed[value_types.PoolerType], FixedByWeights("pooler")]
    random_init_encoder: Annotated[Fixed[value_types.Switch], OfPart("encoder", "random")]
    encoder_manual_configuration: Annotated[Fixed[value_types.Switch], OfPart("encoder", "manual")]
    hidden_size: Annotated[Fixed[value_types.Width], OfPart("encoder", "hidden_size")]
    num_heads: Annotated[Fixed[value_types.Count], OfPart("encoder", "num_heads")]
    num_layers: Annotated[Fixed[value_types.Count], OfPart("encoder", "num_layers")]
    mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("encoder", "mlp_ratio")]
    drop_rate: Annotated[Fixed[value_types.Rate], OfPart("encoder", "drop_rate")]
    embedding_size: Annotated[Fixed[value_types.Width], OfPart("encoder", "embedding_size")]
    freeze_encoder: Annotated[Fixed[value_types.Switch], OfPart("encoder", "frozen")]
    freeze_encoder_layers: Annotated[Fixed[value_types.CountOrZero], OfPart("encoder", "frozen_layers")]

    def encoder_dimensions(self) -> EncoderDimensions | None:
        """The one-tower encoder's manual dimensions; None where the encoder's own hold."""
        return self.dimensions_of("encoder") if self.encoder_manual_configuration else None


class ImageTowerSettings(PartSettings):
    """The two-tower model's image encoder."""

    image_encoder: Annotated[Fixed[value_types.Pretrained], OfPart("image_encoder", "name")]
    random_init_vision_encoder: Annotated[Fixed[value_types.Switch], OfPart("image_encoder", "random")]
    image_encoder_manual_configuration: Annotated[Fixed[value_types.Switch], OfPart("image_encoder", "manual")]
    image_encoder_hidden_size: Annotated[Fixed[value_types.Width], OfPart("image_encoder", "hidden_size")]
    image_encoder_num_heads: Annotated[Fixed[value_types.Count], OfPart("image_encoder", "num_heads")]
    image_encoder_num_layers: Annotated[Fixed[value_types.Count], OfPart("image_encoder", "num_layers")]
    image_encoder_mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("image_encoder", "mlp_ratio")]
    image_encoder_drop_rate: Annotated[Fixed[value_types.Rate], OfPart("image_encoder", "drop_rate")]
    image_encoder_embedding_size: Annotated[Fixed[value_types.Width], OfPart("image_encoder", "embedding_size")]
    freeze_image_encoder: Annotated[Fixed[value_types.Switch], OfPart("image_encoder", "frozen")]
    freeze_image_encoder_layers: Annotated[Fixed[value_types.CountOrZero], OfPart("image_encoder", "frozen_layers")]

    def image_encoder_dimensions(self) -> EncoderDimensions | None:
        """The image encoder's manual dimensions; None where the encoder's own hold."""
        return self.dimensions_of("image_encoder") if self.image_encoder_manual_configuration else None


class TextTowerSettings(PartSettings):
    """The two-tower model's text encoders."""

    text_encoder: Annotated[Fixed[value_types.TextEncoders], OfPart("text_encoder", "name")]
    text_encoder_config: Annotated[Fixed[value_types.FlagsOfEach], OfPart("text_encoder", "flags")]
    text_encoder_window_size: Annotated[Fixed[value_types.WindowOfEach], OfPart("text_encoder", "window")]
    random_init_text_encoder: Annotated[Fixed[value_types.SwitchOfEach], OfPart("text_encoder", "random")]
    text_encoder_manual_configuration: Annotated[Fixed[value_types.SwitchOfEach], OfPart("text_encoder", "manual")]
    text_encoder_hidden_size: Annotated[Fixed[value_types.WidthOfEach], OfPart("text_encoder", "hidden_size")]
    text_encoder_num_heads: Annotated[Fixed[value_types.CountOfEach], OfPart("text_encoder", "num_heads")]
    text_encoder_num_layers: Annotated[Fixed[value_types.CountOfEach], OfPart("text_encoder", "num_layers")]
    text_encoder_mlp_ratio: Annotated[Fixed[value_types.RatioOfEach], OfPart("text_encoder", "mlp_ratio")]
    text_encoder_drop_rate: Annotated[Fixed[value_types.RateOfEach], OfPart("text_encoder", "drop_rate")]
    text_encoder_embedding_size: Annotated[Fixed[value_types.WidthOfEach], OfPart("text_encoder", "embedding_size")]
    freeze_text_encoder: Annotated[Fixed[value_types.SwitchOfEach], OfPart("text_encoder", "frozen")]
    freeze_text_encoder_layers: Annotated[Fixed[value_types.CountOrZeroOfEach], OfPart("text_encoder", "frozen_layers")]


class FuserSettings(PartSettings):
    """The two-tower model's cross-modal layers."""

    cross_layer_hidden_size: Annotated[Fixed[value_types.Width], OfPart("fuser", "hidden_size")]
    num_cross_layers: Annotated[Fixed[value_types.Count], OfPart("fuser", "num_layers")]
    num_cross_layer_heads: Annotated[Fixed[value_types.Count], OfPart("fuser", "num_heads")]
    cross_layer_mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("fuser", "mlp_ratio")]
    cross_layer_drop_rate: Annotated[Fixed[value_types.Rate], OfPart("fuser", "drop_rate")]
    freeze_cross_modal: Annotated[Fixed[value_types.Switch], OfPart("fuser", "frozen")]

    def cross_layer_dimensions(self) -> EncoderDimensions:
        """The fuser's dimensions."""
        return self.dimensions_of("fuser")


class TextDecoderSettings(PartSettings):
    """What writes captions."""

    decoder: Annotated[Fixed[value_types.OptionalPretrained], OfPart("decoder", "name")]
    random_init_decoder: Annotated[Fixed[value_types.Switch], OfPart("decoder", "random")]
    decoder_hidden_size: Annotated[Fixed[value_types.Width], OfPart("decoder", "hidden_size")]
    decoder_num_heads: Annotated[Fixed[value_types.Count], OfPart("decoder", "num_heads")]
    decoder_num_layers: Annotated[Fixed[value_types.Count], OfPart("decoder", "num_layers")]
    decoder_mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("decoder", "mlp_ratio")]
    decoder_drop_rate: Annotated[Fixed[value_types.Rate], OfPart("decoder", "drop_rate")]
    caption_prefix_encoder: Annotated[Fixed[value_types.Switch], FixedByWeights("decoder")]
    freeze_decoder: Annotated[Fixed[value_types.Switch], OfPart("decoder", "frozen")]

    def decoder_dimensions(self) -> EncoderDimensions:
        """The dimensions of our own text decoder."""
        return self.dimensions_of("decoder")
