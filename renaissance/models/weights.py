"""The one place that puts weights into a model.

In: a module and the tensors of a checkpoint, by name. Out: the module with every tensor of the same name and shape,
position embeddings resized where only their number differs, and a report of what was loaded, what stayed new and
what was not used. A name's first component (`text_encoder.…`) is the part of the model it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from renaissance.errors import UserError
from renaissance.models.layers.positions import grid_sides, resize_grid, resize_sequence
from renaissance.text_table import text_table

Shape = tuple[int, ...]
KINDS = ("loaded", "resized", "new", "unused", "mismatched")
MOST_NAMES = 12  # tensors that a report names when it is printed
GRID_SPECIALS = (1, 2, 0)  # ViT's class position; DeiT's class and distillation positions; SigLIP's none
POSITIONS = ("position_embeddings", "position_embedding", "wpe")  # what models call their table; "wpe" is GPT-2's
BIAS_SPECIALS = (3, 0)  # BEiT's three biases from, to and between class positions; Swin's none


def part_of(name: str) -> str:
    """The part that a tensor belongs to: the first component of its name."""
    return name.partition(".")[0]


@dataclass
class LoadReport:
    """What became of every tensor of a model and of a checkpoint, by name.

    Attributes:
        loaded: taken as they are.
        resized: position embeddings taken at another size: (checkpoint's shape, model's shape).
        new: the model's own, which the checkpoint lacks.
        unused: the checkpoint's own, which the model lacks.
        mismatched: in both, with shapes that do not go together: (checkpoint's shape, model's shape).
        sizes: numbers in each tensor of the model, and of the unused ones.
        source: what messages call the checkpoint.
        part_of: the part of a tensor's name.
    """

    loaded: list[str] = field(default_factory=list)
    resized: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[Shape, Shape]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    part_of: Callable[[str], str] = part_of
    source: str = "the checkpoint"

    def rows(self) -> Iterator[tuple[str, str, str, str, int]]:
        """A row a tensor: its part, its name, what became of it, the shapes where they differ, how many numbers."""
        for kind in KINDS:
            named = getattr(self, kind)
            for name in named:
                shapes = f"{named[name][0]} to {named[name][1]}" if isinstance(named, dict) else ""
                yield self.part_of(name), name, kind, shapes, self.sizes[name]

    def parts(self) -> dict[str, dict[str, int]]:
        """Per part, how many numbers were loaded, resized, new, unused and mismatched."""
        table: dict[str, dict[str, int]] = {}
        for kind in KINDS:
            for name in getattr(self, kind):
                row = table.setdefault(self.part_of(name), {})
                row[kind] = row.get(kind, 0) + self.sizes[name]
        return table

    def __str__(self) -> str:
        """A table of parts, and the names of what was resized or did not fit, the first of them."""
        rows = [[part, *(row.get(kind, 0) for kind in KINDS)] for part, row in self.parts().items()]
        lines = text_table(["part", *KINDS], rows).splitlines()
        names = [f"resized {name}: {old} to {new}" for name, (old, new) in self.resized.items()]
        names += [
            f"does not fit {name}: {old} in the checkpoint, {new} here" for name, (old, new) in self.mismatched.items()
        ]
        more = [f"and {len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
        return "\n".join([*lines, *names[:MOST_NAMES], *more])


def load_weights(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str = "the checkpoint",
    strict: bool = True,
    only: Collection[str] | None = None,
    optional: Collection[str] = (),
    part_of: Callable[[str], str] = part_of,
) -> LoadReport:
    """Copy the tensors of `state` into `module`, by name.

    Args:
        module: the model; its dtype and device stay.
        state: tensors by the names that `module.state_dict()` has.
        source: what messages call the checkpoint.
        strict: refuse when a part that both have lacks a tensor or has one of another shape.
        only: parts to load; the others are neither loaded nor reported. None for all.
        optional: parts that may be new, missing or misshapen even when `strict` (heads).
        part_of: the part of a tensor's name.

    Raises:
        UserError: nothing matches, or `strict` refuses. The module is unchanged then.
    """
    strange = next(
        (f"{name} is a {type(value).__name__}" for name, value in state.items() if not isinstance(value, Tensor)), None
    )
    if strange:
        raise UserError(f"{source} holds something else than weights: {strange}.")
    own = module.state_dict()
    if only is not None:
        own = {name: tensor for name, tensor in own.items() if part_of(name) in only}
        state = {name: tensor for name, tensor in state.items() if part_of(name) in only}
    report = LoadReport(part_of=part_of, source=source)
    found: dict[str, Tensor] = {}
    counted: set[int] = set()
    for name, tensor in own.items():
        report.sizes[name] = 0 if tensor.data_ptr() in counted else tensor.numel()  # tied weights have two names
        counted.add(tensor.data_ptr())
        given = state.get(name)
        if given is None:
            report.new.append(name)
        elif given.shape == tensor.shape:
            report.loaded.append(name)
            found[name] = given
        elif (resized := resize_positions(module, name, given, tensor)) is not None:
            report.resized[name] = tuple(given.shape), tuple(tensor.shape)
            found[name] = resized
        else:
            report.mismatched[name] = tuple(given.shape), tuple(tensor.shape)
    report.unused = [name for name in state if name not in own]
    report.sizes.update({name: state[name].numel() for name in report.unused})
    _refuse(report, source, strict, optional)
    with torch.no_grad():
        for name, tensor in found.items():
            own[name].copy_(tensor)
    return report


def _refuse(report: LoadReport, source: str, strict: bool, optional: Collection[str]) -> None:
    """Raise where the checkpoint does not go with the model."""
    if not report.loaded and not report.resized:
        raise UserError(f"Nothing in {source} matches this model: it is of another kind.\n{report}")
    if not strict:
        return
    given = {report.part_of(name) for name in (*report.loaded, *report.resized, *report.mismatched, *report.unused)}
    both = given - set(optional)
    missing = [name for name in report.new if report.part_of(name) in both]
    misshapen = [name for name in report.mismatched if report.part_of(name) in both]
    if missing or misshapen:
        wrong = [f"missing {name}" for name in missing] + [f"misshapen {name}" for name in misshapen]
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError(
            f"{source} does not fit this model: {', '.join(wrong[:5])}{more}. "
            f"Take the dimensions that it was trained with, or only what fits with strict_loading=False.\n{report}"
        )


def resize_positions(module: nn.Module, name: str, given: Tensor, wanted: Tensor) -> Tensor | None:
    """`given` at the shape of `wanted`, when the two are position embeddings that differ in their number only.

    Args:
        module: the model that has the tensor.
        name: its name in the model.
        given: the checkpoint's tensor.
        wanted: the model's tensor.
    """
    *path, owner_name, leaf = ("", *name.split("."))
    if given.dim() != wanted.dim() or given.shape[-1] != wanted.shape[-1]:
        return None
    if leaf == "relative_position_bias_table":
        return _resize_to_grid(given, wanted, BIAS_SPECIALS, special_last=True)
    if leaf == "position_embeddings" and given.dim() == 3 and len(given) == len(wanted) == 1:
        resized = _resize_to_grid(given[0], wanted[0], GRID_SPECIALS)
        return None if resized is None else resized[None]
    if leaf == "weight" and owner_name in POSITIONS:
        if _sees_images(module, path):
            return _resize_to_grid(given, wanted, GRID_SPECIALS)
        return resize_sequence(given, len(wanted), first=first_position(module.get_submodule(name[: -len(".weight")])))
    return None


def first_position(embedding: nn.Module) -> int:
    """The row of a text's first position: RoBERTa and its kin begin behind the padding number."""
    padding = getattr(embedding, "padding_idx", None)
    return 0 if padding is None else padding + 1


def _resize_to_grid(
    given: Tensor, wanted: Tensor, specials: tuple[int, ...], special_last: bool = False
) -> Tensor | None:
    sides = grid_sides(len(given), len(wanted), specials)
    if sides is None:
        return None
    return resize_grid(given, sides[2], sides[0], special_last)


def _sees_images(module: nn.Module, path: list[str]) -> bool:
    """Whether the innermost Hugging Face model around a tensor takes pixels (CLIP keeps its grid as an Embedding)."""
    takes = getattr(module, "main_input_name", None)
    for child in filter(None, path):
        module = getattr(module, child)
        takes = getattr(module, "main_input_name", takes)
    return takes == "pixel_values"
