"""Runs on small scenes, for trackers too, and a MongoDB."""

from tests.tracking.mongo_server import database, killable, mongo, own_mongo
from tests.training.conftest import run, scenes_root

__all__ = ["database", "killable", "mongo", "own_mongo", "run", "scenes_root"]
