"""Which settings count as chosen by the user, and so hold against a checkpoint's."""

from __future__ import annotations

import run

META = {"named_configs": ["task_finetune_imdb"], "config_updates": {"image_size": 64}}


def test_named_configurations_and_the_command_line_choose() -> None:
    chosen = run._chosen(META, test_only=False).names
    assert {"max_text_len", "loss_names", "image_size"} <= chosen
    assert "patch_size" not in chosen


def test_a_test_is_as_its_checkpoint_was_trained_but_for_the_command_line() -> None:
    chosen = run._chosen(META, test_only=True).names
    assert "max_text_len" not in chosen, "the length that the checkpoint was trained with holds"
    assert "image_size" in chosen


def test_a_test_takes_other_data_where_a_configuration_names_data_alone() -> None:
    named = {**META, "named_configs": ["task_finetune_imdb", "scenes"]}
    assert "datasets" in run._chosen(named, test_only=True).names
    assert "datasets" not in run._chosen(META, test_only=True).names, "the task's own data are no wish for a test"
