"""An odd value of a setting either works or is refused with a message: nothing that a user gives is a traceback."""

from __future__ import annotations

from typing import Any

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import Settings, check_settings
from renaissance.training.assemble import assemble

ODD: list[Any] = [0, 1, -1, 0.0001, 3.0, 10**30, 1e300, float("inf"), float("nan"), True, None, "", "x", "ü" * 5000,
                  [], ["x"], [[]], {}, {"a": 1}, "/nowhere"]  # fmt: skip
BUILT = [
    {"text_encoder_mlp_ratio": 0.0001},
    {"mlp_ratio": 0.02, "model_type": "one-tower"},
    {"text_encoder": "funnel"},
    {"text_encoder": "bert", "text_encoder_manual_configuration": False,
     "text_encoder_config": {"hidden_size": 1, "num_attention_heads": 1, "num_hidden_layers": 1}},
    {"text_encoder_hidden_size": 2, "text_encoder_num_heads": 1},
    {"image_encoder_hidden_size": 10**9},
    {"cross_layer_hidden_size": 2**31 - 4},
    {"patch_size": 1, "image_size": 1},
    {"max_text_len": 2**31 - 1},
    {"vocab_size": 2**31 - 1},
    {"min_frequency": 2**31 - 1},
    {"num_cross_layers": 2**31 - 1},
    {"per_gpu_batchsize": 2**31 - 1, "batch_size": 2**31 - 1},
    {"freeze_image_encoder_layers": 2**31 - 1},
    {"tokenizer": "x"},
]  # fmt: skip


@pytest.fixture
def configuration(scenes_root, tmp_path):
    """Gives a configuration of a tiny model on a few scenes, with overrides."""
    values = dict(ex.configurations[0]())
    for name in ("task_mlm_itm", "tiny", "scenes"):
        values.update(ex.named_configs[name](preset=values))
    values |= {"data_root": str(scenes_root), "log_dir": str(tmp_path), "num_scenes": 120, "num_gpus": 0}
    return lambda **overrides: {**values, **overrides}


def test_every_setting_takes_or_refuses_odd_values(configuration):
    """Each value for all settings at once, then for each setting alone four of them in turn."""
    names = list(Settings.model_fields)
    cases = [dict.fromkeys(names, value) for value in ODD]
    cases += [{name: ODD[(number + 5 * turn) % len(ODD)]} for number, name in enumerate(names) for turn in range(4)]
    refused = 0
    for overrides in cases:
        try:
            check_settings(configuration(**overrides), "train")
        except UserError:
            refused += 1
    assert len(cases) > refused > len(cases) / 2


@pytest.mark.parametrize("overrides", BUILT, ids=lambda overrides: next(iter(overrides.items())))
def test_a_model_of_odd_values_is_built_or_refused(configuration, overrides):
    try:
        settings = check_settings(configuration(**overrides), "train")
        assembly = assemble(settings, frozenset(overrides), None)
    except UserError:
        return
    assert assembly.beginnings
