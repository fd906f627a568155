"""Where an encoder's configuration and weights come from: a folder, the hub's cache, the hub, or the built-in table.

In: what the settings ask of one encoder (`EncoderRequest`). Out: a Hugging Face configuration, a model with
pretrained or random weights, and the image statistics of its processor. Whatever cannot be had is one `UserError`
within seconds: transformers itself would try an absent hub again and again for half a minute.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoConfig,
    AutoModel,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers import logging as transformers_logging
from transformers.utils import cached_file

from renaissance.data.images.transform import ImageStatistics
from renaissance.errors import UserError
from renaissance.hub import hub_answers
from renaissance.models.pretrained.published import PUBLISHED
from renaissance.models.towers.transformer import MODEL_TYPE
from renaissance.settings import EncoderDimensions
from renaissance.settings.architectures import BUILT_IN, meant_architecture
from renaissance.settings.marked import setting_of
from renaissance.settings.registered_encoders import registered_image_encoders, registered_text_encoders

BOTH_WAYS = {"xlnet"}  # a language model whose tokens see each other unless told otherwise
BICUBIC = 3  # Pillow's number, which preprocessor_config.json uses

UNMAPPED = {"siglip_text_model": "SiglipTextModel"}  # classes that AutoModel does not know, by their model types


@dataclass(frozen=True)
class EncoderRequest:
    """What the settings ask of one encoder.

    Attributes:
        name: hub name or folder.
        setting: the setting that holds the name, for messages.
        random_setting: the setting that asks for random weights, for messages.
        random: random weights.
        dimensions: manual dimensions; None for those of the named encoder.
        config: the configuration that a checkpoint brought along, as a dict. Nothing is fetched then, and the weights
            are random until the checkpoint's are loaded.
        is_architecture: the name is a model type of transformers' rather than a hub name or a folder.
        flags: flags of its configuration that replace their defaults, by name.
        frozen: its weights stay as they are, so none of them may begin at random.
    """

    name: str
    setting: str
    random_setting: str
    random: bool
    dimensions: EncoderDimensions | None = None
    config: dict[str, Any] | None = None
    is_architecture: bool = False
    flags: Mapping[str, Any] = field(default_factory=dict)
    frozen: bool = False

    @property
    def manual_setting(self) -> str:
        """The setting that asks for manual dimensions, for messages."""
        return setting_of(self.setting, "manual")


def find_config(request: EncoderRequest, part: Literal["text", "vision"] | None) -> PreTrainedConfig:
    """The configuration of the named encoder.

    Args:
        request: the encoder.
        part: which half to take of a model that has two (CLIP).

    Raises:
        UserError: the name is no folder, is not in the cache, and the hub does not answer or does not know it.
    """
    if request.config is not None:
        return config_from_dict(request.config)
    if request.is_architecture:
        config = CONFIG_MAPPING[MODEL_TYPE if request.name == BUILT_IN else request.name]()
        return getattr(config, f"{part}_config", config)
    if request.random and request.name in PUBLISHED and not Path(request.name).is_dir():
        config = config_from_dict(PUBLISHED[request.name])
        return getattr(config, f"{part}_config", config) if part else config
    config = _fetch(request, lambda **where: AutoConfig.from_pretrained(request.name, trust_remote_code=False, **where))
    return getattr(config, f"{part}_config", config) if part else config


def load_pretrained(
    request: EncoderRequest,
    config: PreTrainedConfig,
    notes: list[str],
    kind: type[Any] = AutoModel,
    new: Collection[str] = (),
) -> PreTrainedModel:
    """The model of `config` with the weights of the named encoder or decoder, in fp32.

    On PyTorch's meta device, where a model is only measured, it has none.

    Args:
        request: the encoder.
        config: its configuration.
        notes: what the user should know is added here.
        kind: transformers' Auto class of such models.
        new: tensors that the weights of such a model usually lack.

    Raises:
        UserError: the weights cannot be had, cannot be read, are those of another model, or lack some of a frozen one.
    """
    if is_sketch():
        return create_model(config, kind)
    model_class = _model_class(config, kind)
    options = _model_options(model_class, config)

    def load(**where: Any) -> Any:
        with quiet_transformers():
            return model_class.from_pretrained(
                request.name, config=config, dtype=torch.float32, output_loading_info=True, **options, **where
            )

    model, loading = _fetch(request, load)
    missing = sorted(loading["missing_keys"])
    others = [name for name in missing if name not in new]
    if 2 * len(others) > len(model.state_dict()) - len(new):
        raise UserError(
            f"{request.setting} = {request.name!r}: its weights are not those of a {model_class.__name__}, "
            "most of its tensors are missing. Take a folder or hub name whose config.json and weights belong together."
        )
    if len(others) < len(missing):
        notes.append(f"{request.setting}: the cross-attention, which the weights lack, begins at random")
    if others and request.frozen:
        raise UserError(
            f"{request.setting} = {request.name!r} is frozen, and {len(others)} of its tensors, {others[0]} for one, "
            "are not among its weights: they would begin at random and never learn. Take the whole weights, leave the "
            "freezing out, or give freeze_random=True if that is meant."
        )
    if others:
        notes.append(
            f"{request.setting}: {len(others)} tensors that the weights lack begin at random, {others[0]} for one"
        )
    return model


def is_sketch() -> bool:
    """Whether models are only being measured: PyTorch makes tensors without memory, and nothing can be run for real."""
    return torch.get_default_device().type == "meta"


def create_model(config: PreTrainedConfig, kind: type[Any] = AutoModel) -> PreTrainedModel:
    """A model of `config`, of transformers' Auto class, with random weights, without a pooler, on fused attention."""
    model_class = _model_class(config, kind)
    options = _model_options(model_class, config)
    config._attn_implementation = options.pop("attn_implementation")
    return model_class(config, **options)


def attention_of(model_class: type[PreTrainedModel]) -> str:
    """The name of the attention that a class of transformers' runs on: fused where it has it (Longformer has not)."""
    return "sdpa" if model_class._supports_sdpa else "eager"


def config_from_dict(values: dict[str, Any]) -> PreTrainedConfig:
    """A configuration from the plain dict that `config_to_dict` made, or the table of published dimensions holds.

    Raises:
        UserError: this version of transformers does not know the model type.
    """
    model_type = str(values.get("model_type"))
    if model_type not in CONFIG_MAPPING:
        raise UserError(f"transformers does not know the model type {model_type!r}. Update transformers.")
    return CONFIG_MAPPING[model_type].from_dict(values)


def config_to_dict(config: PreTrainedConfig) -> dict[str, Any]:
    """A configuration as a dict that JSON and `torch.load(weights_only=True)` can hold."""
    return json.loads(config.to_json_string(use_diff=False))


def find_image_statistics(request: EncoderRequest) -> ImageStatistics | None:
    """Mean, standard deviation and interpolation of the named encoder's processor; None where it has none."""
    local = Path(request.name).is_dir() or not hub_answers()
    try:
        path = cached_file(request.name, "preprocessor_config.json", local_files_only=local)
        values = json.loads(Path(str(path)).read_text(encoding="utf-8"))
        mean, std = (tuple(float(value) for value in values[f"image_{what}"]) for what in ("mean", "std"))
        resample = int(values.get("resample", BICUBIC))
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return None
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        return None
    return ImageStatistics(mean, std, resample)


def sees_images(config: PreTrainedConfig) -> bool:
    """Whether the encoder of a configuration takes pixels."""
    return _model_class(config).main_input_name == "pixel_values"


def is_decoder(config: PreTrainedConfig) -> bool:
    """Whether transformers has the architecture as a decoder and not as an encoder that names masked words.

    Told before it is built: in their own dimensions decoders take more memory than most machines have.
    """
    kind = type(config)
    can_decode, can_encode = kind in MODEL_FOR_CAUSAL_LM_MAPPING, kind in MODEL_FOR_MASKED_LM_MAPPING
    return can_decode and not can_encode and config.model_type not in BOTH_WAYS


def _model_class(config: PreTrainedConfig, kind: type[Any] = AutoModel) -> type[PreTrainedModel]:
    model_class: Any = kind._model_mapping.get(type(config), None)
    if model_class is None and kind is AutoModel and config.model_type in UNMAPPED:
        return getattr(transformers, UNMAPPED[config.model_type])
    if model_class is None:
        raise UserError(f"transformers has no model for the configuration {type(config).__name__}.")
    return model_class[0] if isinstance(model_class, (tuple, list)) else model_class


def _model_options(model_class: type[PreTrainedModel], config: PreTrainedConfig) -> dict[str, Any]:
    """What to hand to the class besides a configuration: no pooler (ours follow), fused attention where it has it.

    A BEiT that pools by mean keeps its pooler, because its last norm is in there (see `vision.sequence_norm`).
    """
    options: dict[str, Any] = {"attn_implementation": attention_of(model_class)}
    norm_in_pooler = config.model_type == "beit" and config.use_mean_pooling
    if not norm_in_pooler and "add_pooling_layer" in inspect.signature(model_class.__init__).parameters:
        options["add_pooling_layer"] = False
    return options


def _fetch(request: EncoderRequest, load: Any) -> Any:
    """`load(local_files_only=...)`: first what is on this machine, then the hub if it answers.

    Raises:
        UserError: neither has it.
    """
    if Path(request.name).is_dir():
        try:
            return load(local_files_only=True)
        except Exception as error:  # a folder's files are the user's: whatever is wrong with them, they can mend it
            raise UserError(
                f"{request.setting} = {request.name!r}: this folder cannot be opened as a Hugging Face model: "
                f"{_first_line(error)}"
            ) from error
    if request.name.startswith((".", "~", "/")) or request.name.count("/") > 1:  # a hub name has one slash at most
        raise UserError(
            f"{request.setting} = {request.name!r}: there is no such folder. Take one that is there, or a hub name."
        )
    try:
        return load(local_files_only=True)
    except (OSError, ValueError) as error:
        reason = "it is not in this machine's hub cache, and the hub does not answer" if not hub_answers() else ""
        if reason:
            raise UserError(_not_found(request, reason)) from error
    try:
        return load(local_files_only=False)
    except (OSError, ValueError) as error:
        raise UserError(_not_found(request, _first_line(error))) from error


def _not_found(request: EncoderRequest, reason: str) -> str:
    registered = {"image_encoder": registered_image_encoders, "text_encoder": registered_text_encoders}
    known = [*PUBLISHED, *(registered[request.setting]() if request.setting in registered else ())]
    near = get_close_matches(request.name, known, n=1, cutoff=0.8)
    meant = f" Did you mean {near[0]!r}?" if near and near[0] != request.name else ""
    if not meant and request.setting == "text_encoder":
        meant = meant_architecture(request.name)
    what = f"this {request.setting.split('_')[-1]}'s configuration" if request.random else "pretrained weights"
    ways = [f"set {request.setting} to a folder that holds them"]
    if not request.random and request.name in PUBLISHED:
        ways.append(f"start from random weights with {request.random_setting}=True")
    elif request.random:
        ways.append(f"take one whose dimensions are built in: {', '.join(PUBLISHED)}")
    ways.append("connect to the hub once, which fills the cache")
    if request.name.isidentifier() and request.setting in ("image_encoder", "text_encoder"):
        ways.append("name the plug-in that registers it")
    return f"{request.setting} = {request.name!r}: {what} cannot be had: {reason}.{meant} Ways out: {'; '.join(ways)}."


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No table of unused weights on the screen (a head that was left out is no news), no bar for a moment."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
