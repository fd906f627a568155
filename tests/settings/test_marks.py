"""Every setting says beside its type what else has to know of it, and what it says is true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import pytest
import torch

from config import ex
from renaissance.commands.registry import commands
from renaissance.models.build import build_model
from renaissance.settings import EncoderDimensions, Settings
from renaissance.settings.marked import (
    fixed_by_weights,
    following_weights,
    parts_with,
    read_by_commands,
    roles_of,
    settings_marked,
)
from renaissance.settings.marks import (
    DIMENSIONS,
    FIXED_ROLES,
    FOLLOWING_ROLES,
    FixedByWeights,
    FollowsWeights,
    Mark,
    OfPart,
    Role,
)
from renaissance.settings.table import CONFIG, read_defaults
from renaissance.settings.value_types import leaf_types

GROUPS = {row.name: row.group for row in read_defaults(CONFIG.read_text(encoding="utf-8"))}
# Groups of config.py whose settings make the model.
MODEL = {"The model", "One-tower encoder", "Two-tower image encoder", "Two-tower text encoder", "Text",
         "Two-tower fuser", "Text decoder"}  # fmt: skip
OF_NO_WEIGHTS = {
    "model_type",
    "clip_model",  # of the whole model: a checkpoint fixes them, and a part of one does not
    "image_only",  # what is read
    "original_image_size",  # of the published weights that a run began with
}
PARTS = {"encoder", "image_encoder", "text_encoder", "fuser", "decoder"}
WITH_WEIGHTS = {*PARTS, "pooler", "text_embeddings", "image_embeddings", "contrastive_head"}
# Of the groups whose settings say what a validation and a test do, those that a test asks nothing by.
NO_QUESTIONS = {
    "loss_names", "step_shares",  # what is trained; a test says itself which tasks it is of
    "itm_false_from",  # where training finds its false pairs
    "label_smoothing",  # of the training's loss
    "caption_metric_images",  # of a validation; a test captions all images, or none where it is 0
    "sample_interval", "num_samples", "manual_inputs",  # of pictures to look at
}  # fmt: skip


def marks(name: str) -> list[Any]:
    return list(Settings.model_fields[name].metadata)


def of_group(*groups: str) -> list[str]:
    return [name for name, group in GROUPS.items() if group in groups]


@pytest.mark.parametrize("name", of_group(*MODEL))
def test_a_setting_of_the_model_says_which_weights_fix_it_or_bring_it_along(name: str) -> None:
    said = [mark for mark in marks(name) if isinstance(mark, OfPart | FixedByWeights | FollowsWeights)]
    assert bool(said) is (name not in OF_NO_WEIGHTS), f"{name}: say it beside its type (settings/marks.py)"


def test_marks_name_parts_and_roles_that_there_are() -> None:
    """Nothing but this checks the words: what stands in `Annotated` has no type."""
    found = [mark for name in Settings.model_fields for mark in marks(name)]
    assert {mark.part for mark in found if isinstance(mark, OfPart)} == PARTS
    assert {mark.role for mark in found if isinstance(mark, OfPart)} == set(get_args(Role))
    assert {mark.part for mark in found if isinstance(mark, FixedByWeights | FollowsWeights)} <= WITH_WEIGHTS
    assert set(DIMENSIONS) == EncoderDimensions.__dataclass_fields__.keys()
    assert {name for names in read_by_commands().values() for name in names} <= set(commands())


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_has_one_setting_of_each_role_and_all_its_dimensions(part: str) -> None:
    found = [mark for name in Settings.model_fields for mark in marks(name) if isinstance(mark, OfPart)]
    roles = [mark.role for mark in found if mark.part == part]
    assert len(roles) == len(set(roles))
    missing = {"embedding_size"} if part in ("fuser", "decoder") else set()
    assert set(DIMENSIONS) - set(roles) == missing
    assert ("name" in roles) is ("random" in roles)


def test_no_setting_both_stays_with_the_weights_and_only_follows_them() -> None:
    assert not FIXED_ROLES & FOLLOWING_ROLES
    for part in WITH_WEIGHTS:
        assert not fixed_by_weights(part) & following_weights(part)


def test_dimensions_are_read_from_the_settings_that_say_so(make_settings) -> None:
    sizes: Mapping[str, Any] = {"hidden_size": 36, "num_heads": 3, "num_layers": 5, "mlp_ratio": 2.0, "drop_rate": 0.25}
    own = {"cross_layer_hidden_size": 36, "num_cross_layer_heads": 3, "num_cross_layers": 5,
           "cross_layer_mlp_ratio": 2.0, "cross_layer_drop_rate": 0.25}  # fmt: skip
    assert make_settings(**own).cross_layer_dimensions() == EncoderDimensions(**sizes)
    decoder = make_settings(**{f"decoder_{name}": value for name, value in sizes.items()}).decoder_dimensions()
    assert decoder == EncoderDimensions(**sizes, embedding_size=None)
    image = {f"image_encoder_{name}": value for name, value in {**sizes, "embedding_size": 18}.items()}
    switches = {"image_encoder_manual_configuration": True, "random_init_vision_encoder": True}
    assert make_settings(**image, **switches).image_encoder_dimensions() == EncoderDimensions(
        **sizes, embedding_size=18
    )


def test_every_setting_of_the_text_encoders_but_their_names_may_have_a_value_for_each() -> None:
    each = set(settings_marked(Mark.ONE_FOR_EACH))
    assert each == {name for role, name in roles_of("text_encoder").items() if role != "name"}
    lists = {name for name in Settings.model_fields if list in set(leaf_types(Settings.model_fields[name].annotation))}
    assert each <= lists


def test_what_a_published_model_is_named_by_is_a_name_or_a_folder() -> None:
    names = {roles_of(part)["name"] for part in parts_with("name")}
    assert names == {"encoder", "image_encoder", "text_encoder", "decoder"}
    assert {*names, "tokenizer", "clip_model"} == set(settings_marked(Mark.NAME_OR_FOLDER))


@pytest.mark.parametrize("name", of_group("Tasks", "Captions"))
def test_a_setting_of_the_tasks_says_whether_a_test_asks_by_it(name: str) -> None:
    assert (Mark.QUESTION in marks(name)) is (name not in NO_QUESTIONS), f"{name}: Question[...] (settings/marks.py)"


@pytest.mark.parametrize("name", [name for name, group in GROUPS.items() if group.startswith("The command")])
def test_a_setting_of_a_command_says_so(name: str) -> None:
    named = re.findall(r"`(\w+)`", GROUPS[name])
    decides_on_tables = Mark.DECIDES_ON_TABLES in marks(name)  # which a training draws itself where it finds none
    assert (list(read_by_commands().get(name, ())) == named) is not decides_on_tables
    assert decides_on_tables or name in read_by_commands()


def test_what_one_command_reads_is_in_no_named_configuration() -> None:
    named = {name for scope in ex.named_configs.values() for name in scope()}
    assert not named & read_by_commands().keys()


# A small model of each kind, and for every role of a size another one.
SIZES: Mapping[str, Any] = {"hidden_size": 32, "num_heads": 4, "num_layers": 2, "mlp_ratio": 2.0, "embedding_size": 16}
OTHERS: Mapping[str, Any] = {"hidden_size": 64, "num_layers": 3, "mlp_ratio": 3.0, "embedding_size": 24,
                             "drop_rate": 0.3, "frozen": True, "frozen_layers": 1}  # fmt: skip


TRIED = [(part, role) for part in ("encoder", "image_encoder", "text_encoder", "fuser") for role in roles_of(part)
         if role in OTHERS and (part, role) != ("image_encoder", "embedding_size")]  # fmt: skip  # DeiT has no stem


@pytest.mark.parametrize(("part", "role"), TRIED)
def test_the_weights_of_a_part_are_of_another_shape_where_they_are_said_to_fix_it(make_settings, part, role):
    given = {roles_of(one)[size]: value for one in PARTS for size, value in SIZES.items() if size in roles_of(one)}
    given |= {roles_of(one)[switch]: True for one in PARTS - {"decoder"} for switch in ("manual", "random")
              if switch in roles_of(one)}  # fmt: skip
    given |= {"model_type": "one-tower" if part == "encoder" else "two-tower", "image_size": 32, "patch_size": 8,
              "freeze_random": True}  # fmt: skip
    name = roles_of(part)[role]
    differ = shapes(make_settings(**given)) != shapes(make_settings(**{**given, name: OTHERS[role]}))
    assert differ is (name in fixed_by_weights(part))


def shapes(settings: Settings) -> dict[str, torch.Size]:
    with torch.device("meta"):
        model = build_model(settings, vocab_size=50, pad_id=0, image=True, text=True)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}
