"""Where the weights of each part of a run's model begin: pretrained ones, a checkpoint's, or random ones.

Comes in: the built model and what was loaded into it. Goes out: a few words a part for the run's table and its
summary, and an error where weights are kept as they are that nothing has trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from renaissance.checkpoints.parts import PRETRAINED, part_of_tensor, pretrained_part
from renaissance.errors import UserError
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.weights import LoadReport
from renaissance.settings.marked import roles_of, setting_of
from renaissance.settings.registered_encoders import is_image_encoder
from renaissance.settings.schema import ModelSettings
from renaissance.settings.text_encoders import text_encoders
from renaissance.tasks.common.task import Task


@dataclass(frozen=True)
class Beginning:
    """Where a part's weights come from.

    Attributes:
        words: a few words of it.
        random: the names of its tensors that begin at random.
    """

    words: str
    random: frozenset[str]


def pretrained_parts(settings: ModelSettings, configs: Collection[str]) -> dict[str, str]:
    """The parts that are built with pretrained weights, each with its hub name or folder.

    Args:
        settings: with the checkpoints' architecture.
        configs: the parts whose configurations come from checkpoints, and with them their weights.
    """
    found = {
        name: getattr(settings, name)
        for name in PRETRAINED
        if name != "text_encoder"
        and getattr(settings, name) is not None
        and not getattr(settings, setting_of(name, "random"))
    }
    if is_image_encoder(settings.image_encoder):
        found.pop("image_encoder", None)
    found |= {encoder.part: encoder.name for encoder in text_encoders(settings) if not encoder.random}
    return {part: name for part, name in found.items() if part not in configs}


def find_beginnings(
    model: VisionLanguageEncoder,
    tasks: Mapping[str, Task],
    pretrained: Mapping[str, str],
    loaded: Sequence[LoadReport],
) -> dict[str, Beginning]:
    """Where each part begins.

    Args:
        model: the encoder.
        tasks: the active tasks by name.
        pretrained: hub name or folder of each part that was built with pretrained weights.
        loaded: what checkpoints brought since.
    """
    if model.joint_space is not None and model.joint_space.start:
        pretrained = {**pretrained, "contrastive_head": pretrained["text_encoder"]}  # projections, scale and bias
    brought = {name: report.source for report in loaded for name in (*report.loaded, *report.resized)}
    sizes: dict[str, dict[str, int]] = {}
    for name, parameter in _named_parameters(model, tasks):
        sizes.setdefault(part_of_tensor(name), {})[name] = parameter.numel()
    return {part: _beginning(own, brought, pretrained.get(part)) for part, own in sizes.items()}


def _named_parameters(model: VisionLanguageEncoder, tasks: Mapping[str, Task]) -> Iterator[tuple[str, nn.Parameter]]:
    """Every parameter with the name that it has in checkpoints."""
    return nn.ModuleDict({"model": model, "tasks": nn.ModuleDict(tasks)}).named_parameters()


def _beginning(sizes: Mapping[str, int], brought: Mapping[str, str], pretrained: str | None) -> Beginning:
    words = [f"checkpoint {source}" for source in dict.fromkeys(brought[name] for name in sizes if name in brought)]
    rest = sizes.keys() - brought.keys()
    if rest and pretrained is not None:
        return Beginning(" and ".join([*words, f"pretrained {pretrained}"]), frozenset())
    if rest:
        words.append(f"{sum(sizes[name] for name in rest):,} numbers random" if words else "random")
    return Beginning(", ".join(words), frozenset(rest))


def check_frozen(
    settings: ModelSettings,
    model: VisionLanguageEncoder,
    tasks: Mapping[str, Task],
    beginnings: Mapping[str, Beginning],
) -> None:
    """Refuse weights that are frozen and random, unless the settings say that this is meant.

    Raises:
        UserError: naming the parts, and what was probably meant.
    """
    if settings.freeze_random:
        return
    kept = {
        id(parameter)
        for module in model.frozen_modules()
        for parameter in module.parameters()
        if not parameter.requires_grad
    }
    counts: dict[str, int] = {}
    for name, parameter in _named_parameters(model, tasks):
        part = part_of_tensor(name)
        if id(parameter) in kept and name in beginnings[part].random:
            counts[part] = counts.get(part, 0) + parameter.numel()
    if counts:
        raise UserError(
            "\n".join(
                [
                    "Weights that begin at random are frozen, so they would never learn anything:",
                    *(f"  * {part}: {count:,} numbers, {_reason(part, settings)}" for part, count in counts.items()),
                    "Take trained weights (pretrained ones, or a run's by load_path or load_modules), or leave the "
                    "freezing out; freeze_random=True allows it, for a baseline.",
                ]
            )
        )


def _reason(part: str, settings: ModelSettings) -> str:
    """Which setting freezes a part, and why it begins at random."""
    name = pretrained_part(part)
    if name is None:
        return "by freeze_cross_modal=True"
    own = next((chosen for chosen in text_encoders(settings) if chosen.part == part), None)
    published = own.name if own else getattr(settings, name)
    roles = roles_of(name)
    whole = own.frozen if own else getattr(settings, roles["frozen"])
    setting = roles["frozen" if whole else "frozen_layers"]
    by = f"by {setting}={getattr(settings, setting)}"
    if own.is_architecture if own else False:
        return f"{by}; {name}={published!r} names an architecture, which has no weights of its own"
    if own.is_registered if own else name == "image_encoder" and is_image_encoder(published):
        return f"{by}; {name}={published!r} is an encoder of a plug-in, which has no weights of its own"
    switches = [roles[role] for role in ("random", "manual") if role in roles and getattr(settings, roles[role])]
    if not switches:
        return by
    switches_off = " ".join(f"{switch}=False" for switch in switches)
    return f"{by}; of {name}={published!r} only the architecture is used, its weights come with {switches_off}"
