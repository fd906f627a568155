"""The command lines of a set's runs: the user's words, with what a run has of its own, as Sacred reads them."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
from sacred.arg_parser import get_config_updates

from renaissance.errors import UserError
from renaissance.run_sets.command_line import OF_SET, CommandLine, as_word, check_several, without_effect
from renaissance.run_sets.launchers.gpus import Places, places_of
from renaissance.settings.defaults import default_settings
from renaissance.tracking.run_folder import GIVEN_FOLDER, RunFolder, given_folder, newest_unfinished


def test_a_run_has_the_words_of_the_set_without_what_is_the_set_s() -> None:
    options = {"--file_storage": "observed", "--debug": True, "--sql": None, "--pdb": True, "COMMAND": "sweep"}
    words = ["task_itm", "seeds=[0,1]", "loss_names.mlm=1", "learning_rate=3", "resume_from=auto", "submit=slurm",
             "slurm_setup=['a']", "runs_at_once=2", "seed=9"]  # fmt: skip
    given = CommandLine.of_options("run.py", options, words, frozenset())
    assert given.of_run({"seed": 1, "learning_rate": 1e-5}) == [
        "run.py", "--file_storage=observed", "--debug", "with", "task_itm", "loss_names.mlm=1", "seed=1",
        "learning_rate=1e-05",
    ]  # fmt: skip
    assert "loss_names.mlm=1" not in given.of_run({"loss_names": {"mlm": 2}})


def test_a_named_configuration_that_asks_for_seeds_makes_no_set_of_a_run() -> None:
    given = CommandLine("run.py", (), ("mine.json",), frozenset({"seeds", "learning_rate", "runs_at_once"}))
    assert given.of_run({"seed": 1}) == ["run.py", "with", "mine.json", "runs_at_once=1", "seeds=None", "seed=1"]
    assert default_settings().keys() >= OF_SET


def test_a_seed_beside_seeds_is_refused(make_settings) -> None:
    settings, words = make_settings(seeds=[10, 11], seed=7), ("seeds=[10,11]", "seed=7")
    with pytest.raises(UserError, match=r"seed beside seeds=\[10, 11\]"):
        check_several(settings, CommandLine("run.py", (), words), "seeds")
    check_several(settings, CommandLine("run.py", (), words[:1]), "seeds")  # of a named configuration, or the default


def test_settings_of_several_runs_are_named_where_there_is_one(make_settings) -> None:
    words = ["seeds", "runs_at_once", "sweep_search", "sweep_pruning", "sweep_trials", "seed"]
    of_one = without_effect(make_settings(), words)
    assert [line.split()[0] for line in of_one] == ["sweep_search", "sweep_trials", "sweep_pruning", "runs_at_once"]
    assert of_one[0] == "sweep_search is without effect: only the command sweep reads it"
    assert without_effect(make_settings(seeds=[0, 1]), ["seeds", "runs_at_once"]) == []


@pytest.mark.parametrize("flag", ["--id", "--queue"])
def test_a_flag_of_one_run_is_refused(flag: str) -> None:
    with pytest.raises(UserError, match=f"{flag} cannot be given with seeds"):
        CommandLine("run.py", (f"{flag}=3",), ()).check("seeds")


@pytest.mark.parametrize(
    "value",
    [1, 1e-5, True, None, "auto", "None", "1e3", "a b", "it's", "[1]", "/x/y.ckpt", [0.9, 0.98], ["a"], {"mlm": 1.0},
     "...", ".5", "nan", "inf", math.inf, -math.inf, [1.0, math.inf], {"mlm": [-math.inf]}],
)  # fmt: skip
def test_a_value_arrives_as_it_was(value: Any) -> None:
    updates, _ = get_config_updates([f"setting={as_word(value)}"])
    assert updates["setting"] == value
    assert type(updates["setting"]) is type(value)


def test_a_run_goes_into_the_folder_that_it_is_given_and_looks_for_its_state_there(tmp_path, monkeypatch) -> None:
    """Another unfinished run of the same experiment is newer, and left alone. Real ones: test_real_sets.py."""
    for number in (1, 2):
        checkpoint = RunFolder(tmp_path / "itm" / str(number)).last_checkpoint
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
    monkeypatch.setenv(GIVEN_FOLDER, str(tmp_path / "itm" / "1"))
    assert newest_unfinished(str(tmp_path), "itm") == given_folder() == RunFolder(tmp_path / "itm" / "1")
    (tmp_path / "itm" / "1" / "summary.json").write_text('{"status": "finished"}')
    assert newest_unfinished(str(tmp_path), "itm") is None
    monkeypatch.delenv(GIVEN_FOLDER)
    assert given_folder() is None
    assert newest_unfinished(str(tmp_path), "itm") == RunFolder(tmp_path / "itm" / "2")


def test_places_take_turns_and_no_gpu_is_given_twice(make_settings, monkeypatch) -> None:
    places = Places([["0", "1"], ["2", "3"]])
    assert [places.take(), places.take()] == [
        (0, {"CUDA_VISIBLE_DEVICES": "0,1"}), (1, {"CUDA_VISIBLE_DEVICES": "2,3"})
    ]  # fmt: skip
    places.give_back(1)
    assert places.take()[0] == 1
    monkeypatch.setattr("torch.cuda.device_count", lambda: 5)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,5,3,1,0")
    assert [places_of(make_settings(num_gpus="auto"), 2)._gpus] == [[["7", "5"], ["3", "1"]]]
    assert places_of(make_settings(num_gpus=1), 3)._gpus == [["7"], ["5"], ["3"]]
    assert places_of(make_settings(num_gpus=0), 9)._gpus == [None] * 9
    with pytest.raises(UserError, match="runs_at_once=3: each run needs 2 of the GPUs, and 5 are visible"):
        places_of(make_settings(num_gpus=2), 3)


def test_the_program_that_becomes_a_run_is_where_it_is_looked_for() -> None:
    from renaissance.processes import ENTER

    assert os.access(ENTER, os.R_OK)
    assert "renaissance" not in Path(ENTER).read_text().split('"""')[2], "it starts in milliseconds"
