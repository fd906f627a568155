"""From a checkpoint, or from a run's settings, to a model and its tasks: the one place where both are built.

A run describes what it builds in a `Blueprint` and loads what it begins with (`load_donor`). `restore` does the same
with a checkpoint alone, for whoever uses a trained model without its data: no tables are opened, nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from renaissance.checkpoints.checkpoint import Checkpoint
from renaissance.checkpoints.fitting import check_builds
from renaissance.checkpoints.inherit import Donor, inherit
from renaissance.checkpoints.parts import part_of_tensor
from renaissance.data.images.transform import ImageStatistics
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.interface import Sides, VisionLanguageEncoder
from renaissance.models.weights import LoadReport, load_weights
from renaissance.plugins import how_to_name, missing_plugins
from renaissance.settings import Settings, check_settings
from renaissance.settings.defaults import default_settings
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.behaviours import joined_sides, load_behaviour
from renaissance.tasks.common.task import HEAD_SUFFIX, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration
from renaissance.tasks.registry import declaration_of, task_names
from renaissance.training.optimizers.registry import optimizer_names

MOST_NAMES = 5  # of tensors, that a message names


@dataclass(frozen=True)
class Blueprint:
    """What a model and its tasks are built from, beside the settings.

    Attributes:
        declarations: the active tasks by name.
        sides: what of a model they use.
        text: the tokenizer; None where no task reads text.
        encoder_configs: the configurations of encoders and decoder that come from checkpoints, by part.
        class_names: the classes of each task whose data have classes.
    """

    declarations: Mapping[str, TaskDeclaration]
    sides: Sides
    text: TextProcessor | None
    encoder_configs: dict[str, Any]
    class_names: Mapping[str, list[str]]

    def build(self, settings: ModelAndTaskSettings) -> tuple[VisionLanguageEncoder, dict[str, Task]]:
        """Model and tasks, with pretrained or random weights."""
        model = build_model(
            settings,
            vocab_size=self.text.vocab_size if self.text else 0,
            pad_id=self.text.pad_id if self.text else 0,
            image=self.sides.image,
            text=self.sides.text,
            fused=self.sides.fused,
            decoder=self.text if self.sides.decoder else None,
            encoder_configs=self.encoder_configs,
        )
        model.leave_unreached(self.sides)
        tasks = {
            name: load_behaviour(declaration)(
                TaskContext(declaration, settings, model, self.text, self.class_names.get(name))
            )
            for name, declaration in self.declarations.items()
        }
        return model, tasks


@dataclass(frozen=True)
class Restored:
    """A trained model out of a checkpoint, in evaluation mode on the CPU.

    Attributes:
        settings: its run's settings; those that the checkpoint lacks have their defaults.
        model: the encoder.
        tasks: what it was trained on, by name.
        text: the tokenizer; None where no task reads text.
        image_statistics: what its image encoder expects; None where no task looks at images.
        label_names: the classes by task, of those that tell classes apart.
    """

    settings: Settings
    model: VisionLanguageEncoder
    tasks: dict[str, Task]
    text: TextProcessor | None
    image_statistics: ImageStatistics | None
    label_names: dict[str, list[str]]


def restore(checkpoint: Checkpoint) -> Restored:
    """The model and the tasks of a checkpoint with their weights.

    Raises:
        UserError: the checkpoint is of a task that is not there, says too little, or its weights are not what it says.
    """
    description = checkpoint.description
    settings = _own_settings(checkpoint)
    declarations = {name: declaration_of(name) for name in settings.active_tasks()}
    sides = joined_sides(settings)
    inherited = inherit(settings, (), [Donor(checkpoint)], strict=True, sides=sides)
    settings = inherited.settings
    text = statistics = None
    if inherited.text is not None:
        text = TextProcessor.from_state(inherited.text, settings.max_text_len, settings.long_text)
    if inherited.image_statistics is not None:
        statistics = ImageStatistics.of_state(inherited.image_statistics)
    _check_says_enough(checkpoint, declarations, text, statistics)
    blueprint = Blueprint(declarations, sides, text, inherited.encoder_configs, description.label_names)
    check_builds(checkpoint, lambda: blueprint.build(settings))
    with torch.random.fork_rng(devices=[]):  # weights begin at random before they are loaded
        model, tasks = blueprint.build(settings)
    _check_complete(checkpoint, load_donor(model, tasks, Donor(checkpoint)))
    for module in (model, *tasks.values()):
        module.eval().requires_grad_(False)
    names = {name: description.label_names[name] for name in declarations if name in description.label_names}
    return Restored(settings, model, tasks, text, statistics, names)


def load_donor(
    model: VisionLanguageEncoder,
    tasks: Mapping[str, Task],
    donor: Donor,
    strict: bool = True,
    without: Collection[str] = (),
) -> LoadReport:
    """Load a donor's weights, all but the parts in `without`, which begin anew.

    Args:
        model: the encoder.
        tasks: the tasks by name.
        donor: the weights.
        strict: refuse what does not fit, rather than begin it anew.
        without: names of parts.

    Raises:
        UserError: they do not fit, or the model has no such part.
    """
    whole = nn.ModuleDict({"model": model, "tasks": nn.ModuleDict(tasks)})
    state = {
        name: tensor for name, tensor in donor.checkpoint.state_dict.items() if part_of_tensor(name) not in without
    }
    own = {part_of_tensor(name) for name in whole.state_dict()}
    if donor.part is not None and donor.part not in own:
        raise UserError(
            f"load_modules: this run's model has no part {donor.part!r}; its parts are {', '.join(sorted(own))}. "
            "Only the sides that the tasks use are built."
        )
    return load_weights(
        whole,
        state,
        source=str(donor.checkpoint.path),
        strict=strict,
        only=None if donor.part is None else {donor.part},
        optional={part for part in own if part.endswith(HEAD_SUFFIX) and part != donor.part},
        part_of=part_of_tensor,
    )


def _own_settings(checkpoint: Checkpoint) -> Settings:
    """The settings of a checkpoint's run, without what was about where that ran.

    Raises:
        UserError: a task is not there, or a setting has a value that this version does not know.
    """
    saved = checkpoint.description.settings
    weights = saved.get("loss_names")
    on = [str(name) for name, weight in weights.items() if weight] if isinstance(weights, dict) else []
    unknown = sorted(set(on) - set(task_names()))
    lacking = how_to_name(missing_plugins(saved))
    if unknown:
        way_out = lacking or " Install the version that has it, or name the plug-in that registers it."
        raise UserError(
            f"{checkpoint.path}: was trained on {', '.join(unknown)}, which is no task here (there are "
            f"{', '.join(task_names())}).{way_out}"
        )
    if not on:
        raise UserError(f"{checkpoint.path}: says of no task that it was trained on it, so there is nothing to build.")
    elsewhere: dict[str, Any] = {
        "load_path": str(checkpoint.path),
        "load_modules": {},
        "resume_from": None,
        "manual_inputs": [],
    }
    if lacking and saved.get("optim_type") not in optimizer_names():  # a plug-in's: nothing is trained with it here
        elsewhere["optim_type"] = default_settings()["optim_type"]
    defaults = default_settings() if Settings.model_fields.keys() - saved.keys() else {}
    try:
        return check_settings({**defaults, **saved, **elsewhere})
    except UserError as error:
        raise UserError(
            f"{checkpoint.path}: its settings are none of this version. {error}\n{lacking.strip()}".rstrip()
        ) from error


def _check_says_enough(
    checkpoint: Checkpoint,
    declarations: Mapping[str, TaskDeclaration],
    text: TextProcessor | None,
    statistics: ImageStatistics | None,
) -> None:
    """Check that what the tasks read can be made ready for the model.

    Raises:
        UserError: naming the entry that is missing.
    """
    for name, declaration in declarations.items():
        lacks = ""
        if declaration.needs.text and text is None:
            lacks = "vocabulary (text)"
        if declaration.needs.image and statistics is None:
            lacks = "image statistics (image_statistics)"
        if lacks:
            raise UserError(f"{checkpoint.path}: has no {lacks}, which {name} needs. Take one that a run wrote.")


def _check_complete(checkpoint: Checkpoint, report: LoadReport) -> None:
    """Check that every weight of the model is the checkpoint's, and that the model has a place for every one of these.

    Raises:
        UserError: naming those that are left over, and what this version did not know of the checkpoint.
    """
    missing, strange = [*report.new, *report.mismatched], report.unused
    if not missing and not strange:
        return
    kinds = {"are not in it": missing, "have no place here": strange}
    counts = [f"{len(names):,} tensors {words} ({_first(names)})" for words, names in kinds.items() if names]
    known = "".join(f"\n{remark}" for remark in checkpoint.remarks)
    raise UserError(
        f"{checkpoint.path}: does not go with the model that its settings describe here: {'; '.join(counts)}. Install "
        f"the version that wrote it.{known}"
    )


def _first(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (", …" if len(names) > MOST_NAMES else "")
