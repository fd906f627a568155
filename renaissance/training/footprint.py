"""Whether a run's model fits into memory, told before any of it is built.

Comes in: the settings, and a function that builds model and tasks from settings. Goes out: nothing, or an error with
the figures. The model is built on PyTorch's meta device first, where tensors have shapes and no memory, so parameters
are counted and not guessed. Very deep parts are built with one and with two layers, and the rest is their difference,
of the layers that are frozen by number and of those that are trained.

What is counted is a lower bound, so that nothing is refused that could run: weights, gradients and optimiser state,
the images of a micro-batch, and what the linear maps of the image encoder's trained layers hand on to the backward
pass. Texts are as long as they happen to be and are left out, as are attention maps, which fused kernels do not keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from renaissance.checkpoints.parts import encoder_of
from renaissance.errors import UserError
from renaissance.models.interface import Part, VisionLanguageEncoder
from renaissance.models.towers.joint import find_layers
from renaissance.settings import Settings
from renaissance.settings.groups.experiment import ExperimentSettings
from renaissance.settings.marked import parts_with, roles_of
from renaissance.settings.marks import Role
from renaissance.settings.schema import ModelSettings, UpdateSettings
from renaissance.settings.text_encoders import text_encoders
from renaissance.tasks.common.task import Task
from renaissance.text_table import text_table
from renaissance.training.memory import Memory
from renaissance.training.optimizers.registry import declared_optimizer

Build = Callable[[Settings], tuple[VisionLanguageEncoder, dict[str, Task]]]

MOST_LAYERS = 100  # that are built to be counted; deeper parts grow with their depth
NUMBER = 4  # bytes; mixed precision keeps weights, gradients and the optimiser's state in 32 bits
GB = 1e9
SMALL_SHARE = 0.001  # of what is needed, below which the message leaves a part out
# The roles of a part's settings that its size follows from, and other settings that it does; those of heads and
# projections are the last ones.
SIZES: tuple[Role, ...] = ("hidden_size", "num_layers", "mlp_ratio")
OTHER_SIZES: dict[str, tuple[str, ...]] = {
    "encoder": ("vocab_size", "image_size", "per_gpu_batchsize"),
    "image_encoder": ("patch_size", "image_size", "per_gpu_batchsize"),
    "text_encoder": ("text_encoder_embedding_size", "vocab_size", "max_text_len"),
    "fuser": (),
    "decoder": ("vocab_size", "max_text_len"),
    "images": ("image_size", "per_gpu_batchsize"),
}
HEADS = ("cross_layer_hidden_size", "vocab_size")
# What other architectures' configurations call the number of layers.
DEPTH_FLAGS = ("num_hidden_layers", "num_layers", "n_layers", "n_layer")


@dataclass(frozen=True)
class Size:
    """What a part takes at least.

    Attributes:
        weights: its parameters.
        trained: those of them that are trained.
        kept: numbers that it keeps for the backward pass, for each image.
    """

    weights: int
    trained: int
    kept: int = 0

    def deeper(self, more_frozen: Size, more_trained: Size, depth: Depth) -> Size:
        """The size at a depth, where this is the size with one layer.

        Args:
            more_frozen: the size with one more layer that is frozen by number.
            more_trained: the size with one more layer that is not.
            depth: the depth.
        """
        frozen = max(depth.frozen - 1, 0)
        trained = depth.layers - 1 - frozen
        sizes = zip(vars(self).values(), vars(more_frozen).values(), vars(more_trained).values(), strict=True)
        return Size(*(one + frozen * (lower - one) + trained * (upper - one) for one, lower, upper in sizes))


@dataclass(frozen=True)
class Depth:
    """How deep a part is.

    Attributes:
        layers: its layers.
        frozen: the lowest of them that are frozen by number.
    """

    layers: int
    frozen: int = 0

    @property
    def one(self) -> Depth:
        """One layer, frozen where any is: what lies below the layers is frozen with the lowest of them."""
        return Depth(1, min(self.frozen, 1))

    @property
    def more_frozen(self) -> Depth:
        """One more layer, frozen by number; where none is frozen, no more than one layer."""
        return Depth(2, 2) if self.frozen else self.one

    @property
    def more_trained(self) -> Depth:
        """One more layer, not frozen by number."""
        return Depth(2, self.one.frozen)


def check_fits(settings: Settings, examples: int, memory: Memory, build: Build) -> None:
    """Refuse a model that the machine cannot hold.

    Args:
        settings: the run's settings.
        examples: of training; a device takes no more at once.
        memory: what there is.
        build: gives the model and its tasks by name.

    Raises:
        UserError: with the figures and the settings that they follow from.
    """
    sizes = part_sizes(settings, build)
    images = 0 if settings.test_only else min(settings.per_gpu_batchsize, examples)
    bytes_of = {name: _bytes(size, settings, images) for name, size in sizes.items()}
    needed = sum(bytes_of.values())
    if needed <= memory.bytes:
        return
    largest = sorted(bytes_of, key=lambda name: -bytes_of[name])
    rows: list[list[Any]] = [
        [name, sizes[name].weights, sizes[name].trained, f"{bytes_of[name] / GB:,.2f} GB"]
        for name in largest
        if bytes_of[name] > needed * SMALL_SHARE
    ]
    raise UserError(
        f"This model does not fit: it takes at least {needed / GB:,.1f} GB, and {memory.of} has "
        f"{memory.bytes / GB:,.1f} GB (weights, gradients, {settings.optim_type}'s state, and of {images:,} images at "
        "once what is kept for the backward pass).\n"
        f"{text_table(['part', 'parameters', 'trained', 'at least'], rows)}\n"
        f"Lower {_settings_of(largest[0], settings)}."
    )


def part_sizes(settings: Settings, build: Build) -> dict[str, Size]:
    """The size of each part, and of the images; empty where it cannot be told without building for real.

    Raises:
        UserError: a size is beyond what can be counted.
    """
    depths = {name: depth for name, depth in _depths(settings).items() if depth.layers > MOST_LAYERS}

    def sketched(change: Callable[[Depth], Depth]) -> dict[str, Size]:
        return _sketched(_with_depths(settings, {name: change(depth) for name, depth in depths.items()}), build)

    try:
        one = sketched(lambda depth: depth.one)
        trained = sketched(lambda depth: depth.more_trained) if depths else one
        frozen = sketched(lambda depth: depth.more_frozen) if any(depth.frozen for depth in depths.values()) else one
    except (RuntimeError, TypeError, OverflowError) as error:
        if re.search("overflow|too large|too big", str(error), re.IGNORECASE):
            raise UserError(f"This model is larger than any machine can count: {_first_line(error)}.") from error
        return {}  # another's model code that needs real tensors
    except Exception:  # whatever is wrong, building for real says it
        return {}
    return {
        name: size.deeper(frozen[name], trained[name], depths[name]) if name in depths else size
        for name, size in one.items()
    }


def _sketched(settings: Settings, build: Build) -> dict[str, Size]:
    """The parts' sizes, without memory for any of them."""
    with torch.device("meta"):
        model, tasks = build(settings)
    parts: Sequence[Part] = [*model.parts(), *(part for task in tasks.values() for part in task.parts())]
    sizes = {part.name: _size(part.module, settings) for part in parts}
    name = next((name for name in ("image_encoder", "encoder") if name in sizes), None)
    if not model.image_size or name is None:
        return sizes
    pixels = torch.empty(1, 3, settings.image_size, settings.image_size, device="meta")
    with torch.no_grad():
        positions = model.encode_image(pixels).hidden.shape[1]
    kept = 0 if settings.test_only else positions * _handed_on(model.get_submodule(name))
    sizes[name] = Size(sizes[name].weights, sizes[name].trained, kept)
    return {**sizes, "images": Size(0, 0, pixels.numel())}


def _size(module: nn.Module, settings: ExperimentSettings) -> Size:
    parameters = list(module.parameters())
    trained = [] if settings.test_only else [parameter for parameter in parameters if parameter.requires_grad]
    return Size(_numbers(parameters), _numbers(trained))


def _numbers(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _handed_on(tower: nn.Module) -> int:
    """Numbers a position that the linear maps of a tower's trained layers hand on, which the backward pass needs."""
    encoder: Any = tower.encoder
    maps = [part for layer in find_layers(encoder) for part in layer.modules() if isinstance(part, nn.Linear)]
    return sum(part.out_features for part in maps if part.weight.requires_grad)


def _bytes(size: Size, settings: UpdateSettings, images: int) -> int:
    state = declared_optimizer(settings.optim_type).numbers_kept(settings)
    kept = NUMBER if settings.precision == 32 else NUMBER // 2
    return NUMBER * size.weights + NUMBER * (1 + state) * size.trained + kept * images * size.kept


def _depths(settings: ModelSettings) -> dict[str, Depth]:
    """How many layers the settings give each part, and how many of them they freeze."""
    depths = {}
    for part in _single_parts():
        roles = roles_of(part)
        frozen = getattr(settings, roles["frozen_layers"]) if "frozen_layers" in roles else 0
        depths[part] = _depth(getattr(settings, roles["num_layers"]), frozen)
    for encoder in text_encoders(settings):
        flags = [encoder.own_flags[flag] for flag in DEPTH_FLAGS if isinstance(encoder.own_flags.get(flag), int)]
        depths[encoder.part] = _depth(max([encoder.given.num_layers, *flags]), encoder.frozen_layers)
    return depths


def _single_parts() -> list[str]:
    """The parts with layers of which there is one at most; there may be several text encoders."""
    return [part for part in parts_with("num_layers") if part != "text_encoder"]


def _depth(layers: int, frozen: int) -> Depth:
    return Depth(layers, min(frozen, layers))  # more than there are is refused where the model is built


def _with_depths(settings: Settings, depths: dict[str, Depth]) -> Settings:
    """The settings with other depths of some parts."""
    update: dict[str, Any] = {}
    for part in depths.keys() & set(_single_parts()):
        roles = roles_of(part)
        update[roles["num_layers"]] = depths[part].layers
        if "frozen_layers" in roles:
            update[roles["frozen_layers"]] = depths[part].frozen
    encoders = text_encoders(settings)
    if any(encoder.part in depths for encoder in encoders):
        own = [depths.get(each.part, Depth(each.given.num_layers, each.frozen_layers)) for each in encoders]
        roles = roles_of("text_encoder")
        update[roles["num_layers"]] = [depth.layers for depth in own]
        update[roles["frozen_layers"]] = [depth.frozen for depth in own]
        update[roles["flags"]] = [
            _shallow(each.own_flags, depths[each.part].layers) if each.part in depths else each.own_flags
            for each in encoders
        ]
    return settings.model_copy(update=update)


def _shallow(flags: dict[str, Any], layers: int) -> dict[str, Any]:
    return {name: layers if name in DEPTH_FLAGS else value for name, value in flags.items()}


def _settings_of(part: str, settings: Settings) -> str:
    """The settings that a part's size follows from, with their values."""
    name = encoder_of(part) or part
    own = [roles_of(name)[role] for role in SIZES if role in roles_of(name)]
    names = [*own, *OTHER_SIZES[name]] if name in OTHER_SIZES else HEADS
    return ", ".join(f"{name}={getattr(settings, name)}" for name in names)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
