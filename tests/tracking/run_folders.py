"""Folders of runs written by hand, as a run leaves them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from config import ex

CURVES: Mapping[str, Sequence[tuple[int, float]]] = {
    "snli/train/loss": [(5, 1.2), (15, 1.0)],
    "snli/val/accuracy": [(10, 0.5), (20, 0.75), (30, 0.7)],
    "snli/val/loss": [(10, 0.9), (20, 0.4), (30, 0.6)],
    "snli/test/accuracy": [(20, 0.72)],
    "snli/test/loss": [(20, 0.45)],
}
VERSIONS = {"renaissance": "0.2.0", "torch": "2.13.0"}
STARTED = "2026-11-26T10:00:00+0000"


def make_run(
    folder: Path,
    curves: Mapping[str, Sequence[tuple[int, float]]] = CURVES,
    *,
    status: str | None = "finished",
    resumes: Sequence[Mapping[str, Any]] = (),
    command: Mapping[str, Any] | None = None,
    summary: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Path:
    """Write a run's folder.

    Args:
        folder: where.
        curves: points (step, value) by metric.
        status: of `summary.json`; None writes none.
        resumes: those of `command.json`.
        command: what else `command.json` has.
        summary: what else `summary.json` has.
        settings: other than the defaults; the task is snli where they name none.
    """
    folder.mkdir(parents=True)
    defaults = ex.configurations[0]()
    weights = {**defaults["loss_names"], **settings.pop("loss_names", {"snli": 1})}
    (folder / "config.json").write_text(json.dumps({**defaults, "loss_names": weights, **settings}))
    start = {"command": ["run.py"], "started": STARTED, "versions": VERSIONS, "total_steps": 30}
    (folder / "command.json").write_text(json.dumps({**start, **(command or {}), "resumes": list(resumes)}))
    write_metrics(folder / "metrics.csv", curves)
    if status:
        final = {name: series[-1][1] for name, series in curves.items()}
        last = max((step for series in curves.values() for step, _ in series), default=0)
        written = {"status": status, "final": final, "steps": last, "resumes": len(resumes), "wall_seconds": 90.0}
        (folder / "summary.json").write_text(json.dumps({**written, **(summary or {})}))
    return folder


def write_metrics(path: Path, curves: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Write a `metrics.csv`: the rows by their steps, as a run does."""
    rows = sorted((step, name, value) for name, series in curves.items() for step, value in series)
    path.write_text(
        "".join(["step,epoch,name,value\n", *(f"{step},0.1,{name},{value!r}\n" for step, name, value in rows)])
    )


def write_predictions(folder: Path, values: Iterable[tuple[str, Mapping[str, float]]], split: str = "test") -> None:
    """Write predictions of snli: each example's id with its values."""
    path = folder / "predictions" / f"snli_{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    rows = [{"id": name, "answer": "neutral", **({"values": dict(found)} if found else {})} for name, found in values]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
