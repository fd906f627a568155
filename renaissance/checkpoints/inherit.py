"""What a run's model takes from checkpoints: from one the whole model, or from several one part each.

Comes in: the settings, which of them the user chose, and the checkpoints. Goes out: the settings with the
checkpoints' architecture, and what building needs so that nothing is fetched. A setting that the user chose and that
contradicts the weights is an error; with `strict_loading=False` it holds, and what no longer fits begins anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any

from renaissance.checkpoints.checkpoint import Checkpoint, ModelDescription
from renaissance.checkpoints.fitting import check_fits
from renaissance.checkpoints.parts import (
    ENCODERS,
    PRETRAINED,
    QUESTIONS,
    READ_WORDS,
    SEE_PATCHES,
    VOCABULARY,
    Constraints,
    constraints_of,
    dimension_settings,
    encoder_of,
    own_settings,
    part_of_tensor,
    pretrained_part,
    replaced_settings,
)
from renaissance.checkpoints.unset import came_to, in_words
from renaissance.errors import UserError
from renaissance.models.interface import Sides
from renaissance.models.pretrained.dimensions import DROPOUTS, with_dimensions
from renaissance.models.pretrained.flags import with_flags
from renaissance.models.pretrained.sources import EncoderRequest, config_from_dict, config_to_dict
from renaissance.models.towers.transformer import MODEL_TYPE
from renaissance.settings import Settings, check_inherited, check_settings
from renaissance.settings.architectures import BUILT_IN
from renaissance.settings.defaults import default_settings
from renaissance.settings.marked import fixed_by_weights, roles_of, setting_of
from renaissance.settings.registered_encoders import registered_name
from renaissance.settings.schema import ModelSettings
from renaissance.settings.text_encoders import text_encoder_names, text_encoders

OF_THE_WHOLE = frozenset({"model_type", "clip_model"})  # settings that a whole checkpoint fixes, and no single part
TOWERS = frozenset({"image_encoder", "text_encoder"})  # that `clip_model` is both of
ARCHITECTURE = (*PRETRAINED, "fuser", "pooler", "text_embeddings", "image_embeddings")


@dataclass(frozen=True)
class Donor:
    """Weights to load: all parts of a checkpoint that the model has too, or the named one."""

    checkpoint: Checkpoint
    part: str | None = None

    def parts(self) -> list[str]:
        """The parts that this brings.

        Raises:
            UserError: the named part is none of the checkpoint's.
        """
        known = sorted({part_of_tensor(name) for name in self.checkpoint.state_dict})
        if self.part is None:
            return known
        if self.part not in known:
            raise UserError(
                f"load_modules: {self.checkpoint.path} has no part {self.part!r}; its parts are {', '.join(known)}."
            )
        return [self.part]


@dataclass
class Inherited:
    """What checkpoints bring to a model.

    Attributes:
        settings: the run's settings, with the checkpoints' architecture.
        donors: the weights.
        encoder_configs: the Hugging Face configurations of the encoders and the decoder that come from checkpoints.
        text: the tokenizer's state; None to take the settings' one.
        image_statistics: mean, std and interpolation; None to take the image encoder's own.
    """

    settings: Settings
    donors: list[Donor]
    encoder_configs: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] | None = None
    image_statistics: dict[str, Any] | None = None


def inherit(
    settings: Settings, chosen: Collection[str], donors: list[Donor], *, strict: bool, sides: Sides
) -> Inherited:
    """What the checkpoints bring.

    Args:
        settings: the run's settings.
        chosen: names of the settings that the user set, by a named configuration or on the command line.
        donors: the weights to load.
        strict: settings that contradict weights are refused; otherwise they hold.
        sides: what of a model the run's tasks use.

    Raises:
        UserError: naming every setting that the user set and that contradicts the checkpoints, an unknown part, or
            two checkpoints that contradict each other, or one whose description is of other weights than its own.
    """
    _check_sides(donors, settings, sides)
    for donor in donors:
        check_fits(donor.checkpoint)
    current = settings.model_dump()
    given: dict[str, Donor] = {}
    contradictions: list[str] = []
    overridden: set[str] = set()
    asked_for = {*chosen, *(TOWERS if "clip_model" in chosen and settings.clip_model is not None else ())}
    for donor in donors:
        description = _with_defaults(donor.checkpoint.description)
        saved = description.settings
        constraints = _constraints(donor)
        if settings.test_only:
            constraints |= Constraints(follows=QUESTIONS)
        for name in sorted(constraints.fixed & saved.keys()):
            if name in given and current[name] != saved[name]:
                raise UserError(
                    f"load_modules: the parts {given[name].part} and {donor.part} do not go together: {name} is "
                    f"{current[name]!r} in {given[name].checkpoint.path} and {saved[name]!r} in "
                    f"{donor.checkpoint.path}."
                )
            same = (saved[name], came_to(name, description)) if name in asked_for else ()
            asked = name in asked_for and current[name] not in same and _is_used(name, saved, current, sides)
            if asked and strict:
                by = "" if name in chosen else " by clip_model"
                contradictions.append(
                    f"  {name}: {current[name]!r} was asked for{by}, the checkpoint has "
                    + in_words(name, description)
                    + (f" ({donor.part} of {donor.checkpoint.path})" if donor.part else "")
                )
            if asked and not strict:
                overridden.add(name)
            else:
                given[name] = donor
                current[name] = saved[name]
        for name in (constraints.follows & saved.keys()) - set(chosen) - given.keys():
            given[name] = donor
            current[name] = saved[name]
    if "clip_model" in overridden:
        overridden |= TOWERS
    if contradictions:
        raise UserError(_refusal(donors, contradictions))
    _forget_replaced(current, settings, overridden)
    inherited = Inherited(check_settings(current), donors)
    for donor in donors:
        _inherit_descriptions(inherited, donor, overridden)
    check_inherited(inherited.settings, inherited.encoder_configs)
    return inherited


def _with_defaults(description: ModelDescription) -> ModelDescription:
    """A checkpoint's description, in which settings that came after it have their defaults."""
    missing = Settings.model_fields.keys() - description.settings.keys()
    if not missing:
        return description
    defaults = {name: value for name, value in default_settings().items() if name in missing}
    return replace(description, settings={**description.settings, **defaults})


def _check_sides(donors: list[Donor], settings: ModelSettings, sides: Sides) -> None:
    """Refuse encoders that this run does not have, before anything is built or fetched for it.

    Raises:
        UserError: naming the part and the reason.
    """
    two_tower = f"model_type={settings.model_type!r} has text_encoder and image_encoder"
    one_tower = f"model_type={settings.model_type!r} has one, encoder"
    is_two = settings.model_type != "one-tower"
    absent = {
        "encoder": two_tower if is_two else "",
        "text_encoder": one_tower if not is_two else "" if sides.text else "its tasks read no text",
        "image_encoder": one_tower if not is_two else "" if sides.image else "its tasks look at no images",
    }
    for donor in donors:
        encoder = encoder_of(donor.part or "")
        if encoder is not None and absent[encoder]:
            raise UserError(f"load_modules: this run's model has no part {donor.part!r}: {absent[encoder]}.")


def _constraints(donor: Donor) -> Constraints:
    """The settings that a donor settles; a whole checkpoint is also followed in what it has no weights for."""
    configs = donor.checkpoint.description.encoder_configs
    constraints = Constraints()
    for part in donor.parts():
        constraints |= constraints_of(part, configs)
    if donor.part is None:
        fixed = constraints.fixed | OF_THE_WHOLE
        everything = Constraints()
        for part in ARCHITECTURE:
            everything |= constraints_of(part, {"encoder": {"vocab_size": 0, "num_channels": 0}})
        constraints = Constraints(fixed, (everything.fixed | everything.follows | constraints.follows) - fixed)
    return constraints


def _refusal(donors: list[Donor], contradictions: list[str]) -> str:
    source, setting = str(donors[0].checkpoint.path), "load_path"
    if donors[0].part is not None:
        source, setting = "load_modules", "load_modules"
    return "\n".join(
        [
            f"{source}: settings that contradict the checkpoint's weights:",
            *contradictions,
            "Leave these settings out (the checkpoint brings its own), take only what fits them with "
            f"strict_loading=False, or start without {setting}.",
        ]
    )


def _forget_replaced(current: dict[str, Any], settings: Settings, overridden: Set[str]) -> None:
    """Where the user replaces a part or the vocabulary, all its settings are the user's, not the checkpoint's."""
    own = {name for part in overridden & set(PRETRAINED) for name in replaced_settings(part)}
    own |= VOCABULARY if overridden & VOCABULARY else set()
    own |= {"clip_model", *(overridden & TOWERS)} if overridden & TOWERS else set()
    current.update({name: getattr(settings, name) for name in own})


def _inherit_descriptions(inherited: Inherited, donor: Donor, overridden: Set[str]) -> None:
    """Take configurations, vocabulary and image statistics of the parts that a donor brings."""
    description, parts = donor.checkpoint.description, set(donor.parts())
    constraints = _constraints(donor) if donor.part is not None else None
    replaces_words = overridden & {*READ_WORDS, *VOCABULARY}
    if not replaces_words and (constraints is None or constraints.fixed >= VOCABULARY):
        inherited.text = description.text
    if overridden.isdisjoint(SEE_PATCHES) and (constraints is None or "image_size" in constraints.follows):
        inherited.image_statistics = description.image_statistics
    for part, config in description.encoder_configs.items():
        name = pretrained_part(part)
        if part in parts and name is not None and name not in overridden:
            inherited.encoder_configs[part] = _adapted(part, name, config, inherited.settings, overridden)


def _adapted(
    part: str, name: str, config: dict[str, Any], settings: ModelSettings, overridden: Set[str]
) -> dict[str, Any]:
    """A checkpoint's configuration with what the user wants different; dimensions with `strict_loading=False` only."""
    if name not in ENCODERS:  # a published decoder is as it was published
        return config
    if registered_name(config) is not None:  # of the user's own code, which reads the settings
        return {**config, "config": {}} if overridden & own_settings(name) else config
    config = dict(config)
    if "patch_size" in overridden and "patch_size" in config:
        config["patch_size"] = settings.patch_size
    chosen = next((chosen for chosen in text_encoders(settings) if chosen.part == part), None)
    if chosen is not None and config["model_type"] == MODEL_TYPE:
        config["window_size"] = chosen.window_size
    dimensions = chosen.dimensions if chosen else getattr(settings, f"{name}_dimensions")()
    if dimensions is not None:  # dropout is no weight's: the user may change it
        config.update({flag: dimensions.drop_rate for flag in DROPOUTS if flag in config})
    if not overridden & own_settings(name):
        return config
    request = EncoderRequest(
        name=chosen.name if chosen else getattr(settings, name),
        setting=name,
        random_setting=setting_of(name, "random"),
        random=True,
        dimensions=dimensions,
        flags=chosen.own_flags if chosen else {},
    )
    return config_to_dict(with_flags(with_dimensions(config_from_dict(config), request), request))


def _is_used(name: str, saved: Mapping[str, Any], current: Mapping[str, Any], sides: Sides) -> bool:
    """Whether a contradiction in `name` matters: sides that the run does not build, and unused dimensions, do not."""
    kinds = {saved.get("model_type"), current["model_type"]}
    built = {
        "image_encoder": sides.image,
        "image_embeddings": sides.image,
        "text_encoder": sides.text,
        "text_embeddings": sides.text or sides.decoder,
        "decoder": sides.decoder,
        "encoder": "one-tower" in kinds,
        "pooler": "one-tower" in kinds,
        "fuser": kinds == {"two-tower"} and sides.fused,
    }
    owners = [part for part in built if name in fixed_by_weights(part)]
    if owners and not any(built[part] for part in owners):
        return False
    if name in dimension_settings("decoder") and saved.get("decoder") is not None:
        return False
    for encoder in ENCODERS:
        switch = roles_of(encoder)["manual"]
        if name in dimension_settings(encoder) - {switch}:
            switches = [saved.get(switch), current[switch]]
            manual = any(any(value) if isinstance(value, list) else value for value in switches)
            return manual or BUILT_IN in text_encoder_names(saved.get(encoder) or [])
    return True
