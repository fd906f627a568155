"""Folders of runs, written as runs write them, for tests of pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from config import ex

Curves = Mapping[str, Sequence[tuple[int, float]]]
CURVES: Curves = {
    "mlm/train/loss": [(5, 3.5), (10, 3.25), (15, 2.75), (20, 2.5)],
    "mlm/val/loss": [(10, 3.0625), (20, 2.4375)],
    "mlm/test/loss": [(20, 2.40625)],
}


def rows(curves: Curves) -> str:
    """Rows of `metrics.csv` in the order of the steps, each with its line's end."""
    points = sorted((step, name, value) for name, series in curves.items() for step, value in series)
    return "".join(f"{step},{step / 100},{name},{value}\n" for step, name, value in points)


def make_run(
    folder: Path,
    curves: Curves = CURVES,
    status: str = "finished",
    command: Sequence[str] = ("run.py",),
    **settings: Any,
) -> Path:
    """A run of masked language modelling; with an empty status it has no `summary.json`, as one that was killed."""
    folder.mkdir(parents=True)
    defaults = ex.configurations[0]()
    told = {**defaults, "loss_names": {**defaults["loss_names"], "mlm": 1.0}, "monitor": "mlm/val/loss", **settings}
    (folder / "config.json").write_text(json.dumps(told))
    start = {
        "command": list(command),
        "started": "2026-11-27T00:01:47+0000",
        "versions": {"torch": "2.13.0"},
        "resumes": [],
    }
    (folder / "command.json").write_text(json.dumps(start))
    (folder / "metrics.csv").write_text("step,epoch,name,value\n" + rows(curves))
    if status:
        final = {name: series[-1][1] for name, series in curves.items()}
        summary = {
            "status": status, "final": final, "best": final, "steps": 20, "wall_seconds": 3700.0,
            "parameters": {"fuser": 1234}, "parts_from": {"fuser": "random"},
        }  # fmt: skip
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder
