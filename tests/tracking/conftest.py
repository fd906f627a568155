"""Runs on small scenes, for trackers too; the pictures that are drawn, to be read back; a MongoDB."""

from __future__ import annotations

import pytest

from renaissance.tracking.drawing.figure import Picture
from tests.tracking.mongo_server import database, killable, mongo, own_mongo
from tests.training.conftest import run, scenes_root

__all__ = ["database", "killable", "mongo", "own_mongo", "pictures", "run", "scenes_root"]


@pytest.fixture
def pictures(monkeypatch):
    """Every picture of curves by its name, the newest where there are several of one; no file is written."""
    written = {}

    def keep(self, folder, name, formats):
        self.finish()
        written[name] = self
        return [folder / f"{name}.{form}" for form in formats]

    monkeypatch.setattr(Picture, "write", keep)
    return written
