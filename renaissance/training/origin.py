"""What a run's model takes from checkpoints: from one the whole model, or from several one part each.

Comes in: the settings, which of them the user chose, and the checkpoints. Goes out: the settings with the
checkpoints' architecture, and what building needs so that nothing is fetched. A setting that the user chose and that
contradicts the weights is an error; with `strict_loading=False` it holds, and what no longer fits begins anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from renaissance.errors import UserError
from renaissance.models.dimensions import DROPOUTS, with_dimensions
from renaissance.models.flags import with_flags
from renaissance.models.interface import Sides
from renaissance.models.sources import EncoderRequest, config_from_dict, config_to_dict
from renaissance.models.transformer import MODEL_TYPE
from renaissance.settings import Settings, check_settings, check_settled
from renaissance.settings.architectures import BUILT_IN
from renaissance.settings.text_encoders import text_encoder_names, text_encoders
from renaissance.training.checkpoints import Checkpoint
from renaissance.training.fitting import check_fits
from renaissance.training.parts import (
    DECODER,
    DECODER_DIMENSIONS,
    DECODER_SETTINGS,
    ENCODERS,
    QUESTIONS,
    VOCABULARY,
    WINDOW,
    Settled,
    dimension_settings,
    encoder_of,
    own_settings,
    part_of_tensor,
    settled_by,
)
from renaissance.training.unset import came_to, in_words

ARCHITECTURE = (*ENCODERS, DECODER, "fuser", "pooler", "text_embeddings", "image_embeddings")


@dataclass(frozen=True)
class Loan:
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
class Origin:
    """What checkpoints bring to a model.

    Attributes:
        settings: the run's settings, with the checkpoints' architecture.
        loans: the weights.
        encoder_configs: the Hugging Face configurations of the encoders and the decoder that come from checkpoints.
        text: the tokenizer's state; None to take the settings' one.
        image_statistics: mean, std and interpolation; None to take the image encoder's own.
    """

    settings: Settings
    loans: list[Loan]
    encoder_configs: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] | None = None
    image_statistics: dict[str, Any] | None = None


def find_origin(
    settings: Settings, chosen: Collection[str], loans: list[Loan], *, strict: bool, sides: Sides
) -> Origin:
    """What the checkpoints bring.

    Args:
        settings: the run's settings.
        chosen: names of the settings that the user set, by a named configuration or on the command line.
        loans: the weights to load.
        strict: settings that contradict weights are refused; otherwise they hold.
        sides: what of a model the run's tasks use.

    Raises:
        UserError: naming every setting that the user set and that contradicts the checkpoints, an unknown part, or
            two checkpoints that contradict each other, or one whose description is of other weights than its own.
    """
    _check_sides(loans, settings, sides)
    for loan in loans:
        check_fits(loan.checkpoint)
    current = settings.model_dump()
    given: dict[str, Loan] = {}
    contradictions: list[str] = []
    overridden: set[str] = set()
    for loan in loans:
        saved = loan.checkpoint.description.settings
        settled = _settled(loan)
        if settings.test_only:
            settled |= Settled(follows=QUESTIONS)
        for name in sorted(settled.fixed & saved.keys()):
            if name in given and current[name] != saved[name]:
                raise UserError(
                    f"load_modules: the parts {given[name].part} and {loan.part} do not go together: {name} is "
                    f"{current[name]!r} in {given[name].checkpoint.path} and {saved[name]!r} in {loan.checkpoint.path}."
                )
            same = (saved[name], came_to(name, loan.checkpoint.description)) if name in chosen else ()
            asked = name in chosen and current[name] not in same and _is_used(name, saved, current, sides)
            if asked and strict:
                contradictions.append(
                    f"  {name}: {current[name]!r} was asked for, the checkpoint has "
                    + in_words(name, loan.checkpoint.description)
                    + (f" ({loan.part} of {loan.checkpoint.path})" if loan.part else "")
                )
            if asked and not strict:
                overridden.add(name)
            else:
                given[name] = loan
                current[name] = saved[name]
        for name in (settled.follows & saved.keys()) - set(chosen) - given.keys():
            given[name] = loan
            current[name] = saved[name]
    if contradictions:
        raise UserError(_refusal(loans, contradictions))
    _forget_replaced(current, settings, overridden)
    origin = Origin(check_settings(current), loans)
    for loan in loans:
        _borrow(origin, loan, overridden)
    check_settled(origin.settings, origin.encoder_configs)
    return origin


def _check_sides(loans: list[Loan], settings: Settings, sides: Sides) -> None:
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
    for loan in loans:
        encoder = encoder_of(loan.part or "")
        if encoder is not None and absent[encoder]:
            raise UserError(f"load_modules: this run's model has no part {loan.part!r}: {absent[encoder]}.")


def _settled(loan: Loan) -> Settled:
    """The settings that a loan settles; a whole checkpoint is also followed in what it has no weights for."""
    configs = loan.checkpoint.description.encoder_configs
    settled = Settled()
    for part in loan.parts():
        settled |= settled_by(part, configs)
    if loan.part is None:
        fixed = settled.fixed | {"model_type"}
        everything = Settled()
        for part in ARCHITECTURE:
            everything |= settled_by(part, {"encoder": {"vocab_size": 0, "num_channels": 0}})
        settled = Settled(fixed, (everything.fixed | everything.follows | settled.follows) - fixed)
    return settled


def _refusal(loans: list[Loan], contradictions: list[str]) -> str:
    source, setting = str(loans[0].checkpoint.path), "load_path"
    if loans[0].part is not None:
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
    """Where the user replaces an encoder or the vocabulary, all its settings are the user's, not the checkpoint's."""
    for encoder, (prefix, random) in ENCODERS.items():
        if encoder in overridden:
            own = own_settings(encoder) | {random, prefix + "drop_rate"}
            own |= {WINDOW} if encoder == "text_encoder" else set()
            own |= VOCABULARY if encoder != "image_encoder" else set()
            own |= {"patch_size"} if encoder != "text_encoder" else set()
            current.update({name: getattr(settings, name) for name in own})
    if DECODER in overridden:
        current.update({name: getattr(settings, name) for name in (*DECODER_DIMENSIONS, "random_init_decoder")})
    if overridden & (VOCABULARY | {DECODER}):
        current.update({name: getattr(settings, name) for name in VOCABULARY})


def _borrow(origin: Origin, loan: Loan, overridden: Set[str]) -> None:
    """Take configurations, vocabulary and image statistics of the parts that a loan brings."""
    description, parts = loan.checkpoint.description, set(loan.parts())
    settled = _settled(loan) if loan.part is not None else None
    replaces_words = overridden & ({"encoder", "text_encoder", DECODER} | VOCABULARY)
    if not replaces_words and (settled is None or settled.fixed >= VOCABULARY):
        origin.text = description.text
    if not {"encoder", "image_encoder"} & overridden and (settled is None or "image_size" in settled.follows):
        origin.image_statistics = description.image_statistics
    for part, config in description.encoder_configs.items():
        encoder = encoder_of(part)
        if part not in parts or (encoder or part) in overridden:
            continue
        if encoder is not None:
            origin.encoder_configs[part] = _adapted(part, encoder, config, origin.settings, overridden)
        elif part == DECODER:
            origin.encoder_configs[part] = config


def _adapted(
    part: str, encoder: str, config: dict[str, Any], settings: Settings, overridden: Set[str]
) -> dict[str, Any]:
    """A checkpoint's configuration with what the user wants different; dimensions with `strict_loading=False` only."""
    config = dict(config)
    if "patch_size" in overridden and "patch_size" in config:
        config["patch_size"] = settings.patch_size
    chosen = next((chosen for chosen in text_encoders(settings) if chosen.part == part), None)
    if chosen is not None and config["model_type"] == MODEL_TYPE:
        config["window_size"] = chosen.window_size
    dimensions = chosen.dimensions if chosen else getattr(settings, f"{encoder}_dimensions")()
    if dimensions is not None:  # dropout is no weight's: the user may change it
        config.update({name: dimensions.drop_rate for name in DROPOUTS if name in config})
    if not overridden & own_settings(encoder):
        return config
    request = EncoderRequest(
        name=chosen.name if chosen else getattr(settings, encoder),
        setting=encoder,
        random_setting=ENCODERS[encoder][1],
        random=True,
        dimensions=dimensions,
        flags=chosen.own_flags if chosen else {},
    )
    return config_to_dict(with_flags(with_dimensions(config_from_dict(config), request), request))


def _is_used(name: str, saved: Mapping[str, Any], current: Mapping[str, Any], sides: Sides) -> bool:
    """Whether a contradiction in `name` matters: sides that the run does not build, and unused dimensions, do not."""
    if name.startswith(("image_encoder", "patch_size")) and not sides.image:
        return False
    if name.startswith("text_encoder") and not sides.text:
        return False
    if name in VOCABULARY and not (sides.text or sides.decoder):
        return False
    if name in DECODER_SETTINGS and not sides.decoder:
        return False
    if name in DECODER_DIMENSIONS and saved.get(DECODER) is not None:
        return False
    kinds = {saved.get("model_type"), current["model_type"]}
    if name in ("encoder", "pooler_type", "encoder_manual_configuration") and "one-tower" not in kinds:
        return False
    for encoder in ENCODERS:
        switch = f"{encoder}_manual_configuration"
        if name in dimension_settings(encoder) - {switch}:
            switches = [saved.get(switch), current[switch]]
            manual = any(any(value) if isinstance(value, list) else value for value in switches)
            return manual or BUILT_IN in text_encoder_names(saved.get(encoder) or [])
    if "cross_layer" in name:
        return kinds == {"two-tower"} and sides.fused
    return True
