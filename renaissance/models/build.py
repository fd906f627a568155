"""From settings to a model.

In: settings, the tokenizer's size, which sides the run's tasks use, and the configurations of a checkpoint's encoders
and decoder if the model comes from one. Out: a `VisionLanguageEncoder`, with pretrained or random encoders.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import PreTrainedModel

from renaissance.data.images.transform import ImageStatistics
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.decoders.build import add_decoder
from renaissance.models.freezing import lowest_modules
from renaissance.models.fusion.fuser import CrossModalEncoder
from renaissance.models.interface import Sides, VisionLanguageEncoder
from renaissance.models.late_fusion import LateFusion
from renaissance.models.layers.heads import POOLINGS
from renaissance.models.one_tower import OneTower, PatchEmbeddings, WordEmbeddings
from renaissance.models.pretrained.dimensions import dropout_of
from renaissance.models.pretrained.joint_space import JointSpace, find_joint_space
from renaissance.models.pretrained.sources import EncoderRequest, find_config, find_image_statistics, sees_images
from renaissance.models.towers.clip import JointTextEncoder, JointVisionEncoder
from renaissance.models.towers.image import VisionEncoder, build_vision_encoder, check_patches
from renaissance.models.towers.interface import ImageTower, TextTower
from renaissance.models.towers.joint import JointTransformer
from renaissance.models.towers.registered import RegisteredImageEncoder, RegisteredTextEncoder, own_config
from renaissance.models.towers.text import TextEncoder, build_text_encoder
from renaissance.models.two_tower import TwoTower
from renaissance.settings.decoder import decoder_settings
from renaissance.settings.defaults import default_settings
from renaissance.settings.marked import setting_of
from renaissance.settings.registered_encoders import (
    ImageEncoderRequest,
    TextEncoderRequest,
    is_image_encoder,
    registered_name,
)
from renaissance.settings.schema import ModelSettings
from renaissance.settings.text_encoders import TextEncoderSettings, text_encoders

DEFAULT_PATCH_SIZE = 16  # pixels, of a one-tower whose encoder knows no patches (ViT's and ViLT's own)


def build_model(
    settings: ModelSettings,
    *,
    vocab_size: int,
    pad_id: int,
    image: bool,
    text: bool,
    fused: bool = True,
    decoder: TextProcessor | None = None,
    encoder_configs: dict[str, Any] | None = None,
) -> VisionLanguageEncoder:
    """The model that the settings describe, with only the sides that the tasks use.

    Args:
        settings: a checked configuration.
        vocab_size: the tokenizer's tokens (any number when `text` is False).
        pad_id: the padding token's number.
        image: whether a task uses images.
        text: whether a task uses texts.
        fused: whether, where both are used, a task lets them see each other.
        decoder: the tokenizer whose tokens a text decoder writes; None for a model without a decoder.
        encoder_configs: `VisionLanguageEncoder.encoder_configs()` of a checkpoint, or some of them. For these parts
            nothing is fetched, and they have random weights until `load_weights` brings the checkpoint's. The others
            are what the settings say.

    Raises:
        UserError: an encoder cannot be had, or a setting contradicts its weights.
    """
    if not image and not text:
        raise UserError("The tasks of this run use neither images nor texts, so there is no model to build.")
    if settings.vocab_size is not None and text and settings.vocab_size < vocab_size:
        raise UserError(
            f"vocab_size = {settings.vocab_size:,} is less than the {vocab_size:,} tokens of the tokenizer. "
            "Leave it at None to take the tokenizer's."
        )
    builder = _Builder(settings, max(vocab_size, settings.vocab_size or 1), pad_id, encoder_configs or {})
    sides = Sides(text=text, image=image, fused=text and image and fused)
    architectures = {
        "two-tower": builder.two_tower,
        "one-tower": builder.one_tower,
        "late-fusion": builder.late_fusion,
    }
    model: VisionLanguageEncoder = architectures[settings.model_type](sides)
    model.pool_text = POOLINGS[settings.text_pooling]
    model.image_pooling = settings.image_pooling
    _pool_as_joint_encoders(model)
    _freeze_lowest_layers(model, settings)
    if decoder is not None:
        add_decoder(model, decoder_settings(settings), decoder, builder.configs.get("decoder"), builder.notes)
    model.notes = builder.notes + _image_pooling_notes(model, settings) + _joint_pooling_notes(model, settings)
    model.image_statistics = builder.image_statistics
    return model


def _pool_as_joint_encoders(model: VisionLanguageEncoder) -> None:
    """Have the towers of a whole CLIP or SigLIP pool in their own ways."""
    towers = {part.name: part.module for part in model.parts()}
    text, image = towers.get("text_encoder"), towers.get("image_encoder")
    if isinstance(text, JointTextEncoder):
        model.pool_text = text.pool
    if isinstance(image, JointVisionEncoder):
        model.pool_whole_image = image.pool


def _image_pooling_notes(model: VisionLanguageEncoder, settings: ModelSettings) -> list[str]:
    """What the user should know of an encoder that has no class position, where images alone become one vector."""
    positions = model.image_positions
    with_texts = model.text_size and settings.model_type != "late-fusion"
    own_way = model.pool_whole_image is not None
    if positions is None or positions.has_class or settings.image_pooling != "cls" or with_texts or own_way:
        return []
    name = settings.encoder if settings.model_type == "one-tower" else settings.image_encoder
    return [f"image_pooling: {name} has no class position, so the mean of its positions stands for an image"]


def _joint_pooling_notes(model: VisionLanguageEncoder, settings: ModelSettings) -> list[str]:
    """What the user should know of a pooling that was asked for, and that a whole CLIP or SigLIP does not read."""
    towers = {"text_pooling": JointTextEncoder, "image_pooling": JointVisionEncoder}
    modules = [part.module for part in model.parts()]
    return [
        f"{name}={getattr(settings, name)} is without effect: the tower of a whole CLIP or SigLIP pools in its own way"
        for name, tower in towers.items()
        if getattr(settings, name) != default_settings()[name] and any(isinstance(one, tower) for one in modules)
    ]


def _freeze_lowest_layers(model: VisionLanguageEncoder, settings: ModelSettings) -> None:
    """Freeze as many layers of each encoder as the settings say."""
    setting = setting_of("text_encoder", "frozen_layers")
    counts = {encoder.part: (setting, encoder.frozen_layers) for encoder in text_encoders(settings)}
    for name in ("encoder", "image_encoder"):
        setting = setting_of(name, "frozen_layers")
        counts[name] = (setting, getattr(settings, setting))
    for part in model.parts():
        setting, count = counts.get(part.name, ("", 0))
        if count:
            encoder = part.module.encoder
            assert isinstance(encoder, nn.Module)
            model.freeze_modules(lowest_modules(encoder, count, setting))


class _Builder:
    """What the architectures share while they are built: settings, configurations of a checkpoint, notes."""

    def __init__(self, settings: ModelSettings, vocab_size: int, pad_id: int, configs: dict[str, Any]) -> None:
        self.settings = settings
        self.vocab_size = vocab_size
        self.pad_id = pad_id
        self.configs = configs
        self.notes: list[str] = []
        self.image_statistics: ImageStatistics | None = None
        self.whole: JointSpace | None = None  # of `clip_model`, once it is known

    def two_tower(self, sides: Sides) -> TwoTower:
        layers = self.settings.cross_layer_dimensions()
        fuser = None
        if sides.fused:
            fuser = CrossModalEncoder(
                layers.hidden_size, layers.num_layers, layers.num_heads, layers.mlp_ratio, layers.drop_rate
            )
        frozen = self._frozen("text_projection", "image_projection", "fuser")
        model = TwoTower(*self._towers(sides), fuser, layers.hidden_size, frozen)
        model.joint_space = self._shared_joint_space(sides)
        return model

    def late_fusion(self, sides: Sides) -> LateFusion:
        model = LateFusion(*self._towers(sides), sides.fused, self._frozen("pair_pooler"))
        model.joint_space = self._shared_joint_space(sides)
        return model

    def _towers(self, sides: Sides) -> tuple[dict[str, TextTower], ImageTower | None]:
        chosen = text_encoders(self.settings) if sides.text else []
        texts = {encoder.part: self._text_tower(encoder) for encoder in chosen}
        return texts, self._image_tower() if sides.image else None

    def _joint_space(self, part: str) -> JointSpace | None:
        """The joint space of the whole CLIP or SigLIP that a tower is of; None where it is of none."""
        if part in self.configs:
            return JointSpace.of_config(self.configs[part])
        settings = self.settings
        if settings.clip_model is None:
            return None
        if self.whole is None:
            random = bool(settings.random_init_text_encoder)
            request = EncoderRequest(settings.clip_model, "clip_model", "random_init_text_encoder", random)
            self.whole = find_joint_space(request)
        return self.whole

    def _shared_joint_space(self, sides: Sides) -> JointSpace | None:
        """Where the texts and images of the model meet as those of one whole model; None where they do not."""
        if not (sides.text and sides.image):
            return None
        text, image = self._joint_space("text_encoder"), self._joint_space("image_encoder")
        both = text is not None and image is not None and (text.family, text.size) == (image.family, image.size)
        return text if both else None

    def _text_tower(self, chosen: TextEncoderSettings) -> TextTower:
        saved = self.configs.get(chosen.part)
        name = registered_name(saved) or (chosen.name if chosen.is_registered and saved is None else None)
        if name is None:
            joint = self._joint_space(chosen.part)
            encoder = self._text(self._text_request(chosen), joint is not None)
            return TextEncoder(encoder) if joint is None else JointTextEncoder(encoder, joint, self.pad_id)
        sizes = {"vocab_size": self.vocab_size, "pad_id": self.pad_id, "max_text_len": self.settings.max_text_len}
        own = own_config(saved)
        return RegisteredTextEncoder(
            TextEncoderRequest(name, dimensions=chosen.dimensions, flags=chosen.own_flags, config=own, **sizes)
        )

    def _image_tower(self) -> ImageTower:
        settings, saved = self.settings, self.configs.get("image_encoder")
        is_new = is_image_encoder(settings.image_encoder) and saved is None
        name = registered_name(saved) or (settings.image_encoder if is_new else None)
        if name is None:
            encoder = self._vision(self._request("image_encoder"))
            sizes = settings.image_size, settings.patch_dropout
            joint = self._joint_space("image_encoder")
            return VisionEncoder(encoder, *sizes) if joint is None else JointVisionEncoder(encoder, joint, *sizes)
        if settings.patch_dropout:
            raise UserError(
                f"patch_dropout={settings.patch_dropout}: {name!r} is a plug-in's encoder, which leaves out patches "
                "itself where it is to. Take patch_dropout=0."
            )
        dimensions, own = settings.image_encoder_dimensions(), own_config(saved)
        return RegisteredImageEncoder(
            ImageEncoderRequest(name, settings.image_size, settings.patch_size, dimensions, own)
        )

    def _frozen(self, *cross_modal: str) -> frozenset[str]:
        """The parts that the settings freeze, of the towers and the cross-modal ones that are named."""
        settings = self.settings
        frozen = {encoder.part: encoder.frozen for encoder in text_encoders(settings)}
        frozen["image_encoder"] = settings.freeze_image_encoder
        frozen.update(dict.fromkeys(cross_modal, settings.freeze_cross_modal))
        return frozenset(name for name, is_frozen in frozen.items() if is_frozen)

    def one_tower(self, sides: Sides) -> OneTower:
        settings = self.settings
        request = self._request("encoder")
        is_vision = sees_images(find_config(request, None))
        encoder = JointTransformer(self._vision(request) if is_vision else self._text(request), request)
        size, drop_rate = encoder.hidden_size, dropout_of(encoder.encoder.config)
        words = patches = None
        if is_vision and sides.text:
            words = WordEmbeddings(self.vocab_size, settings.max_text_len, size, self.pad_id, drop_rate)
        if sides.image and not is_vision:
            patch_size = settings.patch_size or DEFAULT_PATCH_SIZE
            check_patches(settings.image_size, patch_size, "a one-tower model")
            patches = PatchEmbeddings(settings.image_size, patch_size, size, drop_rate)
        return OneTower(
            encoder,
            words,
            patches,
            sides=sides,
            pooler_type=settings.pooler_type,
            frozen=frozenset({"encoder"} if settings.freeze_encoder else ()),
            patch_dropout=settings.patch_dropout,
        )

    def _request(self, setting: str) -> EncoderRequest:
        """What the settings, or the checkpoint, ask of one encoder."""
        settings = self.settings
        random_setting = setting_of(setting, "random")
        is_image = setting == "image_encoder"
        return EncoderRequest(
            name=getattr(settings, setting),
            setting=setting,
            random_setting=random_setting,
            random=getattr(settings, random_setting),
            dimensions=settings.image_encoder_dimensions() if is_image else settings.encoder_dimensions(),
            config=self.configs.get(setting),
            frozen=getattr(settings, setting_of(setting, "frozen")) and not settings.freeze_random,
        )

    def _text_request(self, chosen: TextEncoderSettings) -> EncoderRequest:
        """What the settings, or the checkpoint, ask of a text encoder."""
        return EncoderRequest(
            name=chosen.name,
            setting="text_encoder",
            random_setting=setting_of("text_encoder", "random"),
            random=chosen.random,
            dimensions=chosen.dimensions,
            config=self.configs.get(chosen.part),
            is_architecture=chosen.is_architecture,
            flags=chosen.flags,
            frozen=chosen.frozen and not self.settings.freeze_random,
        )

    def _text(self, request: EncoderRequest, joint: bool = False) -> PreTrainedModel:
        return build_text_encoder(
            request,
            vocab_size=self.vocab_size,
            pad_id=self.pad_id,
            max_text_len=self.settings.max_text_len,
            notes=self.notes,
            joint=joint,
        )

    def _vision(self, request: EncoderRequest) -> PreTrainedModel:
        settings = self.settings
        if request.config is None and not request.random:
            self.image_statistics = find_image_statistics(request)
        return build_vision_encoder(
            request,
            image_size=settings.image_size,
            patch_size=settings.patch_size,
            original_image_size=settings.original_image_size,
            notes=self.notes,
        )
