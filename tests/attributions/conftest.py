"""The checkpoints and scenes of the tests of inference."""

from tests.inference.conftest import pretrained, rows, run, scenes_root, trained

__all__ = ["pretrained", "rows", "run", "scenes_root", "trained"]
