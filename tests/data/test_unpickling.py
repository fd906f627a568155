"""CIFAR's pickles in every protocol, and damaged ones (hostile ones: test_prepare_cifar10.py)."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from renaissance.data.preparing.unpickling import open_pickle
from renaissance.errors import UserError


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_files_that_python_3_wrote_again(tmp_path: Path, protocol: int) -> None:
    data = np.random.default_rng(0).integers(0, 256, size=(5, 3072), dtype=np.uint8)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({b"data": data, "labels": [1, 2, 3, 4, 5], b"note": b"x"}, protocol=protocol))
    if protocol >= 5:  # written by numpy._core.numeric._frombuffer, which CIFAR's own files never name
        with pytest.raises(UserError, match="is refused: it names numpy"):
            open_pickle(path)
        return
    content = open_pickle(path)
    assert (content["data"] == data).all()
    assert content["labels"] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "content",
    [
        np.array([{"an": "object"}], dtype=object),
        {b"data": np.array([[1.5]])},
        {b"data": np.array([object()], dtype=object)},
        [1, 2],
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="is refused"):
        open_pickle(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}, protocol=2)
    path = tmp_path / "batch"
    random = np.random.default_rng(0)
    for length in range(0, len(whole), 211):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="is refused"):
            open_pickle(path)
    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(300, size=2):
            data[place] = random.integers(256)
        path.write_bytes(data)
        with suppress(UserError):  # anything else fails the test
            open_pickle(path)
