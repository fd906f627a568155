"""Trackers of a run that has started, without a run around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config import ex
from renaissance.settings import check_settings
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.interface import RunStart
from renaissance.tracking.trackers.metrics_file import MetricsFile


def run_start(path: Path, settings: dict[str, Any] | None = None, **start: Any) -> RunStart:
    """A run in the folder `path`, with the defaults of `config.py` and `settings`."""
    return RunStart(check_settings({**ex.configurations[0](), **(settings or {})}), RunFolder(path), **start)


def metrics_file(path: Path, **start: Any) -> MetricsFile:
    """The tracker that writes the metrics of a run in the folder `path`."""
    tracker = MetricsFile()
    tracker.start(run_start(path, **start))
    return tracker
