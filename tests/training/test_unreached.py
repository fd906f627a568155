"""Parameters that no loss depends on: told in the table of parts, and no hindrance to checkpoints that had them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from renaissance.errors import Interrupted
from renaissance.models.interface import VisionLanguageEncoder
from tests.training.conftest import Runner
from tests.training.interrupting import stop_at

SETTINGS: dict[str, Any] = {"max_steps": 4, "warmup_steps": 0, "log_interval": 1, "val_check_interval": 4}


@pytest.mark.parametrize("model", [("adamw",), ("muon", "onetower_electra")], ids=" ".join)
def test_a_run_of_an_earlier_version_goes_on(run: Runner, monkeypatch: pytest.MonkeyPatch, model: tuple[str]) -> None:
    """Its optimiser counted parameters that never had a gradient; the rest of the run is what it would have been."""
    optimizer, *named = model
    begun = ("task_mlm", "scenes", "tiny", *named)
    whole, _ = run(*begun, **SETTINGS, optim_type=optimizer, exp_name="whole")
    with monkeypatch.context() as earlier:
        earlier.setattr(VisionLanguageEncoder, "leave_unreached", lambda *_: None)
        with pytest.raises(Interrupted):
            run(*begun, **SETTINGS, optim_type=optimizer, exp_name="broken", log_scalar=stop_at(2, "mlm/train/loss"))
    broken = run.folder("broken")
    old, new = (
        torch.load(folder.last_checkpoint, weights_only=True)["optimizer_states"][0] for folder in (broken, whole)
    )
    counts = [sum(len(group["params"]) for group in state["param_groups"]) for state in (old, new)]
    assert counts[0] - counts[1] == (2 if named else 16)
    resumed, _ = run(*begun, **SETTINGS, exp_name="broken", resume_from="auto", chosen=[])
    assert resumed == broken
    assert resumed.metrics.read_text() == whole.metrics.read_text()


def test_what_is_not_reached_is_not_counted_as_trained(run: Runner) -> None:
    folder, _ = run("task_mlm", "scenes", "tiny", **{**SETTINGS, "max_steps": 1})
    parameters = json.loads(folder.summary.read_text())["parameters"]
    size = 64  # of the image's last self-attention and feed-forward, of width 2 × 64, each with a norm; of two poolers
    unreached = 4 * (size + 1) * size + (2 * size + 1) * size + (size + 1) * 2 * size + 2 * 2 * size
    unreached += 2 * (size + 1) * size
    assert parameters["total"] - parameters["trained"] == unreached
