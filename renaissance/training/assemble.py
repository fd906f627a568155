"""From settings to the things a run works with: data, tokenizer, encoder, tasks.

Comes in: the settings and, with `load_path` or `resume_from`, a checkpoint that brings its architecture, vocabulary
and label names. Goes out: an `Assembly`, ready to train or test.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

import torch
from torch import nn

from renaissance.data.find import has_split
from renaissance.data.images import ImageStatistics
from renaissance.data.kinds import DataNeeds, Split
from renaissance.data.source import ExampleSource, open_split
from renaissance.data.text import TextProcessor
from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.weights import LoadReport, load_weights
from renaissance.settings import Settings
from renaissance.tasks import load_task
from renaissance.tasks.common.task import Task, TaskContext
from renaissance.training.checkpoints import Checkpoint, ModelDescription, with_architecture_of
from renaissance.training.module import HEAD_SUFFIX
from renaissance.training.pixels import Pixels


@dataclass
class Assembly:
    """What a run works with.

    Attributes:
        settings: the settings with the checkpoint's architecture, where there is a checkpoint.
        needs: what the tasks read of each example.
        sources: the examples of each split that there are.
        text: the tokenizer; None where no task reads text.
        model: the encoder.
        tasks: the active tasks by name.
        description: what checkpoints say of the model.
        pixels: the part of the image pipeline that runs on the device; None without images.
        image_statistics: what the image encoder expects; None without images.
        loaded: what a checkpoint brought; None without one.
    """

    settings: Settings
    needs: DataNeeds
    sources: dict[str, ExampleSource]
    text: TextProcessor | None
    model: VisionLanguageEncoder
    tasks: dict[str, Task]
    description: ModelDescription
    pixels: Pixels | None
    image_statistics: ImageStatistics | None
    loaded: LoadReport | None


def assemble(settings: Settings, chosen: Collection[str], checkpoint: Checkpoint | None) -> Assembly:
    """Open the data and build the model and its tasks.

    Args:
        settings: the checked settings.
        chosen: the names that the user set, as opposed to defaults.
        checkpoint: where the model comes from; None for a new one.

    Raises:
        UserError: if data are missing, tasks read different data, or the checkpoint does not fit.
    """
    kinds = {name: load_task(name) for name in settings.active_tasks()}
    needs = _joined_needs({name: kind.needs for name, kind in kinds.items()}, settings)
    if checkpoint is not None:
        settings = with_architecture_of(checkpoint, settings, chosen, needs.image, needs.text)
    sources = _open_sources(settings, needs)
    saved = checkpoint.description if checkpoint is not None else None

    text = _text_processor(settings, needs, sources, saved)
    torch.manual_seed(settings.seed)
    model = build_model(
        settings,
        vocab_size=text.vocab_size if text else 0,
        pad_id=text.pad_id if text else 0,
        image=needs.image,
        text=needs.text,
        encoder_configs=saved.encoder_configs if saved else None,
    )
    label_names = _label_names(settings, sources, kinds, saved)
    tasks = {name: kind(TaskContext(settings, model, text, label_names.get(name))) for name, kind in kinds.items()}
    statistics = _image_statistics(settings, model, needs, saved)
    description = ModelDescription(
        settings=settings.model_dump(),
        encoder_configs=model.encoder_configs(),
        text=text.state() if text else None,
        label_names=label_names,
        image_statistics=asdict(statistics) if statistics else None,
    )
    loaded = _load(model, tasks, checkpoint) if checkpoint is not None else None
    pixels = Pixels(statistics, settings.randaugment_magnitude) if statistics else None
    return Assembly(settings, needs, sources, text, model, tasks, description, pixels, statistics, loaded)


def _joined_needs(needs: dict[str, DataNeeds], settings: Settings) -> DataNeeds:
    kinds = sorted({need.kind for need in needs.values()})
    if len(kinds) > 1:
        raise UserError(
            f"loss_names: the tasks {', '.join(needs)} read different data ({', '.join(kinds)}) "
            "and cannot share a batch; train them one after the other with load_path."
        )
    image = any(need.image for need in needs.values())
    text = any(need.text for need in needs.values()) and not settings.image_only
    return DataNeeds(kind=kinds[0], image=image, text=text)


def _open_sources(settings: Settings, needs: DataNeeds) -> dict[str, ExampleSource]:
    """The splits that a run uses and that are there; a training set is needed, the others are optional."""
    if settings.test_only:
        if has_split(settings, needs.kind, "test"):
            return {"test": open_split(settings, needs, "test")}
        print(f"no test table for {', '.join(settings.datasets)}: testing on the validation data")
        return {"test": open_split(settings, needs, "val")}
    sources = {"train": open_split(settings, needs, "train")}
    splits: tuple[Split, ...] = ("val", "test")
    for split in splits:
        if has_split(settings, needs.kind, split):
            sources[split] = open_split(settings, needs, split)
    return sources


def _text_processor(
    settings: Settings, needs: DataNeeds, sources: dict[str, ExampleSource], saved: ModelDescription | None
) -> TextProcessor | None:
    if not needs.text:
        return None
    if saved is not None and saved.text is not None:
        return TextProcessor.from_state(saved.text, max_text_len=settings.max_text_len)
    return TextProcessor.from_settings(settings, lambda: sources["train"].texts())


def _label_names(
    settings: Settings, sources: dict[str, ExampleSource], kinds: dict[str, type[Task]], saved: ModelDescription | None
) -> dict[str, list[str]]:
    """The classes of each task whose data have classes.

    Raises:
        UserError: if a test's data have other classes than the checkpoint.
    """
    found: dict[str, list[str]] = {}
    for name in kinds:
        names = next(iter(sources.values())).label_names
        known = saved.label_names.get(name) if saved else None
        if names is None:
            continue
        if settings.test_only and known is not None and known != names:
            raise UserError(f"{name}: the checkpoint's classes {known} are not those of the data, {names}.")
        found[name] = names
    return found


def _image_statistics(
    settings: Settings, model: VisionLanguageEncoder, needs: DataNeeds, saved: ModelDescription | None
) -> ImageStatistics | None:
    """What the image encoder expects: as its checkpoint says, as its processor says, or as the transform key says."""
    if not needs.image:
        return None
    kept = saved.image_statistics if saved is not None else None
    if kept is not None:
        return ImageStatistics(tuple(kept["mean"]), tuple(kept["std"]), kept["resample"])
    return model.image_statistics or ImageStatistics.of_key(settings.val_transform_keys[0])


def _load(model: VisionLanguageEncoder, tasks: dict[str, Task], checkpoint: Checkpoint) -> LoadReport:
    whole = nn.ModuleDict({"model": model, "tasks": nn.ModuleDict(tasks)})
    parts = {part_of_tensor(name) for names in (whole.state_dict(), checkpoint.state_dict) for name in names}
    return load_weights(
        whole,
        checkpoint.state_dict,
        source=str(checkpoint.path),
        optional={part for part in parts if part.endswith(HEAD_SUFFIX)},
        part_of=part_of_tensor,
    )


def part_of_tensor(name: str) -> str:
    """The part of a training module's tensor: `model.<part>.…`, or `tasks.<task>.…`, whose part is its head."""
    owner, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    return first if owner == "model" else first + HEAD_SUFFIX
