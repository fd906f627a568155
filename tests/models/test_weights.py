"""Loading weights: what is copied, what is refused, what is said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from renaissance.errors import UserError
from renaissance.models.layers.positions import grid_sides, resize_grid, resize_sequence
from renaissance.models.weights import load_weights


def model(width: int = 4, **more: int) -> nn.ModuleDict:
    parts = {"tower": nn.Linear(3, width), "fuser": nn.Linear(width, 2)}
    return nn.ModuleDict({**parts, **{name: nn.Linear(width, size) for name, size in more.items()}})


def clone(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_everything_matches() -> None:
    target, state = model(), clone(model())
    report = load_weights(target, state)
    assert report.loaded == list(state)
    assert [*report.new, *report.unused, *report.mismatched, *report.resized] == []
    assert all(torch.equal(tensor, state[name]) for name, tensor in target.state_dict().items())


def test_heads_and_parts_of_one_side_are_listed() -> None:
    target = model(head=5, decoder=2)
    report = load_weights(target, clone(model(head=7, other=1)), optional={"head"})
    assert list(report.mismatched) == ["head.weight", "head.bias"]
    assert report.new == ["decoder.weight", "decoder.bias"]
    assert report.unused == ["other.weight", "other.bias"]
    assert report.parts() == {
        "tower": {"loaded": 16},
        "fuser": {"loaded": 10},
        "head": {"mismatched": 25},
        "decoder": {"new": 10},
        "other": {"unused": 5},
    }
    lines = str(report).splitlines()
    assert lines[0].split() == ["part", "loaded", "resized", "new", "unused", "mismatched"]
    assert lines[2].split() == ["tower", "16", "0", "0", "0", "0"]
    assert len({len(line) for line in lines[:7]}) == 1
    assert "does not fit head.weight: (7, 4) in the checkpoint, (5, 4) here" in lines


@pytest.mark.parametrize("fault", ["missing", "misshapen"])
def test_strict_refuses_and_changes_nothing(fault: str) -> None:
    target, state = model(), clone(model())
    if fault == "missing":
        del state["fuser.bias"]
    else:
        state["fuser.bias"] = torch.zeros(3)
    before = clone(target)
    with pytest.raises(UserError, match=f"{fault} fuser.bias.*dimensions that it was trained with"):
        load_weights(target, state, source="x.ckpt")
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())
    report = load_weights(target, state, strict=False)
    assert "fuser.weight" in report.loaded
    assert torch.equal(target.state_dict()["fuser.weight"], state["fuser.weight"])
    assert torch.equal(target.state_dict()["fuser.bias"], before["fuser.bias"])


def test_nothing_matches() -> None:
    with pytest.raises(UserError, match=r"Nothing in x\.ckpt matches"):
        load_weights(model(), {"other.weight": torch.zeros(2)}, source="x.ckpt", strict=False)


def test_one_part_alone() -> None:
    target, state = model(), clone(model())
    fuser = clone(target["fuser"])
    report = load_weights(target, state, only={"tower"})
    assert report.loaded == ["tower.weight", "tower.bias"]
    assert not report.new
    assert torch.equal(target.state_dict()["fuser.weight"], fuser["weight"])


def test_other_names_for_parts() -> None:
    whole = nn.ModuleDict({"model": model(), "tasks": model()})
    state = clone(nn.ModuleDict({"model": model()}))
    report = load_weights(whole, state, part_of=lambda name: ".".join(name.split(".")[:2]))
    assert set(report.parts()) == {"model.tower", "model.fuser", "tasks.tower", "tasks.fuser"}


def test_another_precision_is_converted() -> None:
    target = model()
    load_weights(target, {name: tensor.half() for name, tensor in clone(model()).items()})
    assert {parameter.dtype for parameter in target.parameters()} == {torch.float32}


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(UserError, match=r"x\.ckpt.*tower\.weight.*str"):
        load_weights(model(), {"tower.weight": "gotcha"}, source="x.ckpt")  # type: ignore[dict-item]


def test_sequence_of_another_length_keeps_its_ends() -> None:
    weight = torch.randn(5, 3)
    longer = resize_sequence(weight, 9)
    torch.testing.assert_close(longer[::2], weight)  # every other one falls on an old one
    torch.testing.assert_close(longer[1::2], (weight[1:] + weight[:-1]) / 2)  # and the others half-way between two
    shifted = resize_sequence(torch.cat((torch.zeros(2, 3), weight)), 11, first=2)
    torch.testing.assert_close(shifted, torch.cat((torch.zeros(2, 3), longer)))


def test_grid_of_the_same_size_is_unchanged() -> None:
    weight = torch.randn(1 + 16, 3)
    torch.testing.assert_close(resize_grid(weight, 4, special=1), weight)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (197, 577, (1, 14, 24)),
        (198, 578, (2, 14, 24)),
        (196, 576, (0, 14, 24)),
        (197, 578, None),
        (197, 600, None),
    ],
)
def test_special_positions_are_told_from_the_grid(old: int, new: int, expected: tuple[int, int, int] | None) -> None:
    assert grid_sides(old, new, (1, 2, 0)) == expected
