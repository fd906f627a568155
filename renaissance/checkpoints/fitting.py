"""Whether what a checkpoint says of its model goes with the weights it brings, before anything is built of it.

Hugging Face configurations are built without memory (on PyTorch's meta device) and within a bound: a description of a
million layers, or of layers a million wide, is refused after as many numbers as the checkpoint has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from transformers import AutoModel, AutoModelForCausalLM

from renaissance.checkpoints.checkpoint import Checkpoint
from renaissance.checkpoints.opening import LARGEST_NUMBER
from renaissance.checkpoints.parts import part_of_tensor
from renaissance.errors import UserError
from renaissance.models.pretrained.sources import config_from_dict, create_model, quiet_transformers
from renaissance.plugins import how_to_name, missing_plugins
from renaissance.settings.marked import setting_of
from renaissance.settings.marks import Role
from renaissance.settings.registered_encoders import image_encoder_builder, registered_name, text_encoder_builder

# An encoder's own word embeddings and positions need not be among the weights (a one-tower has others), and a part may
# have modules without any.
SPARE_NUMBERS = 100_000_000
MODULES_A_WEIGHT = 20
SPARE_MODULES = 1000
LARGEST_PATCH = 32  # of published models, for the count of patches where the settings leave it to the encoder
MOST_RESIZED = 256  # times as many positions as were trained; 16 times as many on each side of an image
# The parts with layers of our own, and the roles of the settings that tell their size.
OWN_LAYERS: tuple[str, ...] = ("fuser", "decoder")
SIZES: tuple[Role, ...] = ("hidden_size", "num_layers", "mlp_ratio")
KINDS = {"decoder": AutoModelForCausalLM}  # transformers' Auto class of each part; of the others it is AutoModel


class _TooLarge(Exception):
    """A description is of more than the weights that come with it."""


def check_fits(checkpoint: Checkpoint) -> None:
    """Compare what a checkpoint says of its model's dimensions with its weights.

    Raises:
        UserError: naming the part that cannot be built, or is of another size.
    """
    description = checkpoint.description
    _check_positions(checkpoint)
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in checkpoint.state_dict.items():
        parts.setdefault(part_of_tensor(name), {})[name] = tensor
    for part, config in description.encoder_configs.items():
        if part in parts:
            _check_configuration(checkpoint, part, config, parts[part])
    for part in OWN_LAYERS:
        if part in parts and part not in description.encoder_configs:
            sizes = [description.settings.get(setting_of(part, role)) for role in SIZES]
            _check_layers(checkpoint, part, sizes, parts[part])


def check_builds(checkpoint: Checkpoint, build: Callable[[], object]) -> None:
    """Build a checkpoint's model and tasks without memory, to see that they are of no more than its weights.

    Args:
        checkpoint: names the file, and has the weights.
        build: builds them.

    Raises:
        UserError: they are of more.
    """
    try:
        with _bounded(checkpoint.state_dict), torch.device("meta"), quiet_transformers():
            build()
    except _TooLarge:
        raise UserError(_refusal(checkpoint, "model", "describes more than its weights are")) from None
    except Exception:  # whatever else is wrong, or needs real tensors: building for real says it
        return


def _check_positions(checkpoint: Checkpoint) -> None:
    """Bound the images and texts by the position embeddings, which are resized to any number when they are loaded."""
    state, settings = checkpoint.state_dict, checkpoint.description.settings
    tables = [tensor for name, tensor in state.items() if "position" in name and tensor.dim() > 1]
    most = MOST_RESIZED * max((max(table.shape[:-1]) for table in tables), default=LARGEST_NUMBER)
    size, length = settings.get("image_size"), settings.get("max_text_len")
    patch = settings.get("patch_size") or LARGEST_PATCH
    patches = (size // patch) ** 2 if isinstance(size, int) and isinstance(patch, int) else 0
    for part, count in (("images", patches), ("texts", length)):
        if isinstance(count, int) and count > most:
            raise UserError(_refusal(checkpoint, part, f"asks for {count:,} positions, far more than were trained"))


def _check_configuration(
    checkpoint: Checkpoint, part: str, config: dict[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Build a Hugging Face model without memory, and compare every weight's shape that both have.

    An encoder of a plug-in must be registered; what its code builds is compared when the weights are loaded.
    """
    name = registered_name(config)
    if name is not None:
        builder = image_encoder_builder if part == "image_encoder" else text_encoder_builder
        try:
            builder(name)
        except UserError as error:
            lacking = how_to_name(missing_plugins(checkpoint.description.settings))
            raise UserError(f"{checkpoint.path}: {error}{lacking}") from None
        return
    try:
        with _bounded(weights), torch.device("meta"), quiet_transformers():
            model = create_model(config_from_dict(config), KINDS.get(part, AutoModel))
    except _TooLarge:
        raise UserError(_refusal(checkpoint, part, "describes more than its weights are")) from None
    except UserError as error:
        raise UserError(_refusal(checkpoint, part, f"describes no model ({error})")) from error
    except Exception as error:  # every model of transformers has its own, for numbers that it cannot be built with
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(_refusal(checkpoint, part, f"describes no model that can be built ({reason})")) from error
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, tensor in weights.items():
        wanted = next((own[ending] for ending in _endings(name) if ending in own), None)
        if wanted not in (None, tuple(tensor.shape)) and "position" not in name:  # positions are resized when loaded
            raise UserError(_refusal(checkpoint, part, f"asks for {wanted} where {name} is {tuple(tensor.shape)}"))


def _endings(name: str) -> Iterator[str]:
    """A tensor's name without the parts around the model that it belongs to, the longest first."""
    while name:
        yield name
        name = name.partition(".")[2]


def _check_layers(checkpoint: Checkpoint, part: str, sizes: list[Any], weights: Mapping[str, Tensor]) -> None:
    """Find width, number and inner width of our own layers among the shapes of their weights."""
    width, layers, ratio = sizes
    if not isinstance(width, int) or not isinstance(layers, int) or not isinstance(ratio, int | float):
        raise UserError(_refusal(checkpoint, part, "has no numbers for its width and its layers"))
    lengths = {length for tensor in weights.values() for length in tensor.shape}
    if width not in lengths or (layers and int(width * ratio) not in lengths) or layers > len(weights):
        raise UserError(
            _refusal(checkpoint, part, f"asks for {layers:,} layers of {width:,} numbers (inside {ratio:g} as many)")
        )


@contextmanager
def _bounded(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Stop building where there is more than weights can be for.

    Raises:
        _TooLarge: there is.
    """
    left = {
        "numbers": sum(tensor.numel() for tensor in weights.values()) + SPARE_NUMBERS,
        "modules": MODULES_A_WEIGHT * len(weights) + SPARE_MODULES,
    }

    def spend(what: str, amount: int) -> None:
        left[what] -= amount
        if left[what] < 0:
            raise _TooLarge

    hooks = [
        register_module_parameter_registration_hook(lambda _, __, weight: spend("numbers", weight.numel())),
        register_module_module_registration_hook(lambda _, __, module: spend("modules", 1)),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _refusal(checkpoint: Checkpoint, part: str, reason: str) -> str:
    return (
        f"{checkpoint.path}: what it says of its {part} does not go with its weights: it {reason}. Was it changed "
        "since it was written? Take one that a run wrote."
    )
