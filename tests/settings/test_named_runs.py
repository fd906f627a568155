"""Folders that commands are given in the place of a run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import check_settings


@pytest.mark.parametrize("command", ["compare", "plot", "report"])
def test_the_runs_of_a_set_and_of_an_experiment_are_named(tmp_path: Path, command: str) -> None:
    runs = [str(tmp_path / "itm" / number) for number in ("2", "10")]
    for run in runs:
        Path(run).mkdir(parents=True)
        (Path(run) / "config.json").write_text("{}")
    of_set = tmp_path / "seeds" / "1"
    of_set.mkdir(parents=True)
    (of_set / "set.json").write_text(json.dumps({"runs": [*({"folder": run} for run in runs), {"folder": None}]}))
    for folder in (of_set, tmp_path / "itm"):
        with pytest.raises(UserError) as refused:
            check_settings({**ex.configurations[0](), "runs": [str(folder)]}, command)
        assert f"its runs are named by 'runs={json.dumps(runs)}'" in str(refused.value)
    with pytest.raises(UserError) as refused:
        check_settings({**ex.configurations[0](), "runs": [str(tmp_path)]}, command)
    assert "its runs" not in str(refused.value)
