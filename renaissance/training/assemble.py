"""From settings to the things a run works with: data, tokenizer, encoder, tasks.

Comes in: the settings and the checkpoints of `load_path`, `load_modules` or `resume_from`, which bring architecture,
vocabulary and label names (`checkpoints/inherit.py`). Goes out: an `Assembly`, ready to train or test.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from renaissance.checkpoints.checkpoint import Checkpoint, ModelDescription
from renaissance.checkpoints.inherit import Donor, Inherited, inherit
from renaissance.checkpoints.provenance import check_frozen, find_beginnings, pretrained_parts
from renaissance.checkpoints.restore import Blueprint, load_donor
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.weights import LoadReport
from renaissance.settings import Settings
from renaissance.settings.groups.inputs import ImageSettings
from renaissance.tasks.behaviours import joined_sides
from renaissance.tasks.common.task import Task
from renaissance.tasks.registry import declaration_of
from renaissance.training.classes import heads_of_other_classes, number_classes
from renaissance.training.devices import resolve_devices, say
from renaissance.training.footprint import check_fits
from renaissance.training.inputs import TaskGroup, each_split, open_groups, task_groups, text_processor
from renaissance.training.memory import memory_of


@dataclass
class Assembly:
    """What a run works with.

    Attributes:
        settings: the settings with the checkpoint's architecture, where there is a checkpoint.
        groups: the tasks that share batches, with the examples of each split that there are.
        text: the tokenizer; None where no task reads text.
        model: the encoder.
        tasks: the active tasks by name.
        description: what checkpoints say of the model.
        pixels: the part of the image pipeline that runs on the device; None without images.
        image_statistics: what the image encoder expects; None without images.
        loaded: what each checkpoint brought.
        beginnings: where the weights of each part come from, in words.
        tested: the step and epoch up to which the tested checkpoint was trained; None in a training.
    """

    settings: Settings
    groups: list[TaskGroup]
    text: TextProcessor | None
    model: VisionLanguageEncoder
    tasks: dict[str, Task]
    description: ModelDescription
    pixels: Pixels | None
    image_statistics: ImageStatistics | None
    loaded: list[LoadReport]
    beginnings: dict[str, str]
    tested: tuple[int, float] | None


def assemble(
    settings: Settings,
    chosen: Collection[str],
    checkpoint: Checkpoint | None,
    modules: Mapping[str, Checkpoint] = MappingProxyType({}),
    strict: bool = True,
    resumed: bool = False,
) -> Assembly:
    """Open the data and build the model and its tasks.

    Args:
        settings: the checked settings.
        chosen: the names that the user set, as opposed to defaults.
        checkpoint: where the whole model comes from; None for a new one.
        modules: where single parts of it come from, by name.
        strict: refuse what does not fit the checkpoints, rather than begin it anew.
        resumed: the checkpoint is of this very run, which goes on, and began with what that says.

    Raises:
        UserError: if data are missing, tasks read different data, or the checkpoint does not fit.
    """
    declarations = {name: declaration_of(name) for name in settings.active_tasks()}
    groups = task_groups({name: declaration.needs for name, declaration in declarations.items()}, settings)
    if settings.test_only and checkpoint is not None:
        _check_has_heads(checkpoint, list(declarations))
    donors = [Donor(checkpoint)] if checkpoint is not None else []
    donors += [Donor(source, part) for part, source in modules.items()]
    for remark in dict.fromkeys(remark for donor in donors for remark in donor.checkpoint.remarks):
        say(remark)
    inherited = inherit(settings, chosen, donors, strict=strict, sides=joined_sides(settings))
    if inherited.settings.datasets != settings.datasets:
        say(f"testing on the checkpoint's data: {', '.join(inherited.settings.datasets)}; others with datasets='[…]'")
    settings = inherited.settings
    sides = joined_sides(settings)  # a decoder that a checkpoint brings may read texts, or not
    open_groups(settings, groups, chosen)
    text = text_processor(settings, groups, inherited.text)
    class_names = number_classes(groups, donors, bound=settings.test_only or resumed)
    blueprint = Blueprint(declarations, sides, text, _with_vocabulary(inherited, text), class_names)
    memory = memory_of(resolve_devices(settings).accelerator)
    check_fits(settings, max(len(examples) for _, examples in each_split(groups)), memory, blueprint.build)
    torch.manual_seed(settings.seed)
    model, tasks = blueprint.build(settings)
    if not settings.test_only:
        _check_something_learns([model, *tasks.values()])
    statistics = _image_statistics(settings, model, any(group.needs.image for group in groups), inherited)
    loaded = [
        load_donor(model, tasks, donor, strict, without=heads_of_other_classes(donor, class_names)) for donor in donors
    ]
    beginnings = find_beginnings(model, tasks, pretrained_parts(settings, blueprint.encoder_configs), loaded)
    if not settings.test_only:
        check_frozen(settings, model, tasks, beginnings)
    words = {part: beginning.words for part, beginning in beginnings.items()}
    if resumed and checkpoint is not None:
        words |= checkpoint.description.beginnings
    description = ModelDescription(
        settings=settings.model_dump(),
        encoder_configs=model.encoder_configs(),
        text=text.state() if text else None,
        label_names=class_names,
        image_statistics=asdict(statistics) if statistics else None,
        beginnings=words,
    )
    pixels = Pixels(statistics, settings.randaugment_magnitude) if statistics else None
    tested = checkpoint.position() if settings.test_only and checkpoint is not None else None
    return Assembly(settings, groups, text, model, tasks, description, pixels, statistics, loaded, words, tested)


def _check_something_learns(modules: list[nn.Module]) -> None:
    """Refuse a training in which nothing is trained.

    Raises:
        UserError: every part is frozen.
    """
    if not any(parameter.requires_grad for module in modules for parameter in module.parameters()):
        raise UserError(
            "Every part of this model is frozen, so there is nothing to train. Leave out one of freeze_encoder, "
            "freeze_text_encoder, freeze_image_encoder, freeze_cross_modal and freeze_decoder."
        )


def _check_has_heads(checkpoint: Checkpoint, tasks: list[str]) -> None:
    """A test of a task that no checkpoint was trained on would report chance.

    Raises:
        UserError: naming the tasks that the checkpoint was not trained on.
    """
    known = checkpoint.tasks()
    missing = [name for name in tasks if name not in known]
    if missing:
        raise UserError(
            f"{checkpoint.path} was not trained on {', '.join(missing)}, so there is nothing to test; it was "
            f"trained on {', '.join(known)}. Fine-tune it first, without test_only."
        )


def _with_vocabulary(inherited: Inherited, text: TextProcessor | None) -> dict[str, Any]:
    """The encoders' configurations from checkpoints; with this run's vocabulary where it is not the checkpoint's."""
    if text is None or inherited.text is not None:
        return inherited.encoder_configs
    size = {"vocab_size": inherited.settings.vocab_size or text.vocab_size, "pad_token_id": text.pad_id}
    return {
        name: {**config, **size} if "vocab_size" in config else config
        for name, config in inherited.encoder_configs.items()
    }


def _image_statistics(
    settings: ImageSettings, model: VisionLanguageEncoder, looks: bool, inherited: Inherited
) -> ImageStatistics | None:
    """What the image encoder expects: as its checkpoint, its processor or else the transform key says.

    None where no task `looks` at images.
    """
    if not looks:
        return None
    kept = inherited.image_statistics
    if kept is not None:
        return ImageStatistics.of_state(kept)
    return model.image_statistics or ImageStatistics.of_key(settings.val_transform_keys[0])
