"""Optimiser groups: every trained parameter once, decay and learning rate by what it is and where it lies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from renaissance.models.build import build_model
from renaissance.models.interface import Part
from renaissance.training.optimizers.build import build_optimizer
from renaissance.training.optimizers.groups import check_parts, parameter_groups

TINY = {
    "random_init_text_encoder": True,
    "random_init_vision_encoder": True,
    "random_init_encoder": True,
    "text_encoder_manual_configuration": True,
    "image_encoder_manual_configuration": True,
    "encoder_manual_configuration": True,
    "text_encoder_num_layers": 1,
    "image_encoder_num_layers": 1,
    "num_layers": 1,
    "num_cross_layers": 1,
    "image_size": 32,
    "patch_size": 16,
    "loss_names": {"mlm": 1},
}


@pytest.mark.parametrize("overrides", [{}, {"model_type": "one-tower"}, {"freeze_image_encoder": True}], ids=str)
def test_every_trained_parameter_is_in_exactly_one_group(make_settings, overrides):
    settings = make_settings(**TINY, **overrides)
    model = build_model(settings, vocab_size=100, pad_id=0, image=True, text=True)
    check_parts(model, model.parts())
    grouped = [id(parameter) for group in parameter_groups(model.parts(), settings) for parameter in group["params"]]
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trained)


def test_biases_and_norms_are_spared_and_multipliers_follow_the_role(make_settings):
    settings = make_settings(**TINY, learning_rate=1e-3, lr_mult_cross_modal=7, lr_mult_head=3, weight_decay=0.2)
    model = build_model(settings, vocab_size=100, pad_id=0, image=True, text=True)
    head = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    groups = parameter_groups([*model.parts(), Part("mlm_head", head, "head")], settings)
    spared = {
        id(parameter)
        for module in [*model.modules(), *head.modules()]
        for name, parameter in module.named_parameters(recurse=False)
        if "Norm" in type(module).__name__ or name.endswith("bias")
    }
    for group in groups:
        expected = {"text_encoder": 1, "image_encoder": 1, "mlm_head": 3}.get(group["part"], 7)
        assert group["lr"] == pytest.approx(expected * 1e-3)
        for parameter in group["params"]:
            if id(parameter) in spared:
                assert group["weight_decay"] == 0
    assert {group["weight_decay"] for group in groups} == {0.0, 0.2}


@pytest.mark.parametrize(("kind", "expected"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam),
                                                ("sgd", torch.optim.SGD)])  # fmt: skip
def test_the_optimisers(make_settings, kind, expected):
    layer = nn.Linear(2, 2)
    settings = make_settings(optim_type=kind, momentum=0.7, adam_betas=[0.8, 0.95], loss_names={"mlm": 1})
    optimizer = build_optimizer(parameter_groups([Part("layer", layer, "tower")], settings), settings)
    assert type(optimizer) is expected
    if kind == "sgd":
        assert optimizer.defaults["momentum"] == 0.7
    else:
        assert optimizer.defaults["betas"] == (0.8, 0.95)


def test_a_parameter_outside_of_every_part_is_an_error():
    model = nn.ModuleDict({"tower": nn.Linear(2, 2), "forgotten": nn.Linear(2, 2)})
    with pytest.raises(ValueError, match="forgotten"):
        check_parts(model, [Part("tower", model["tower"], "tower")])
