"""Fixtures that every test may use: the real data, and settings made from `config.py`'s defaults."""

from __future__ import annotations

import os

# Tiny models run faster on one thread, and the tests' processes do not wait for each other's.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config import ex
from renaissance.settings import Settings, check_settings
from tests.browser import browser, open_page

__all__ = ["browser", "make_settings", "open_page", "real_data"]

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of small real data sets; a test that asks for it is skipped where it is not there."""
    folder = Path(os.environ.get("RENAISSANCE_REAL_DATA", REPOSITORY.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; RENAISSANCE_REAL_DATA can name another folder")
    return folder


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., Settings]:
    """Makes settings: the defaults of `config.py` with overrides, checked as on the command line."""

    def make(**overrides: Any) -> Settings:
        defaults = ex.configurations[0]()
        loss_names = {**defaults["loss_names"], **overrides.pop("loss_names", {})}
        return check_settings({**defaults, "loss_names": loss_names, **overrides})

    return make
