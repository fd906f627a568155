"""Runs on small scenes, for trackers too."""

from tests.training.conftest import run, scenes_root

__all__ = ["run", "scenes_root"]
