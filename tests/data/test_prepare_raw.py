"""Reading raw files: paths that stay inside, JSON item by item, and the share that is held out."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from renaissance.data.preparing import raw_files
from renaissance.data.preparing.raw_files import hold_out, inside, iterate_json_array, read_file
from renaissance.data.preparing.rejected import Rejected
from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError

ITEMS = [{"id": 1, "text": 'a "quoted" ] bracket, é'}, [1, [2, "]"]], "text", 12345, -1.5, None, True, {}]


@pytest.mark.parametrize("name", ["a.jpg", "deep/down/a.jpg", "deep\\down\\a.jpg", "..a.jpg", "a..b/c.jpg", "é 1.jpg"])
def test_paths_within(tmp_path: Path, name: str):
    assert inside(tmp_path, name).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "/",
        "..",
        "../a.jpg",
        "a/../../b",
        "/etc/passwd",
        "..\\a.jpg",
        "\\etc\\passwd",
        "C:/a.jpg",
        "C:\\a.jpg",
        "a\0b",
    ],
)
def test_paths_that_lead_out(tmp_path: Path, name: str):
    with pytest.raises(Rejected):
        inside(tmp_path, name)


def test_pipes_and_large_files_are_not_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(100))
    with pytest.raises(Rejected, match="no plain file"):
        read_file(tmp_path / "pipe", 100)
    with pytest.raises(Rejected, match="more than 99 bytes"):
        read_file(tmp_path / "large", 99)
    assert read_file(tmp_path / "large", 100) == bytes(100)
    with pytest.raises(Rejected, match=r"cannot be read|missing"):
        read_file(tmp_path / ("long" * 1000), 100)


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_json_arrays_are_read_item_by_item(tmp_path: Path, monkeypatch, chunk: int, indent: int | None):
    """Wherever a chunk ends: within a number, a word, a string of several bytes a character."""
    monkeypatch.setattr(raw_files, "_CHUNK", chunk)
    path = tmp_path / "list.json"
    path.write_text(json.dumps(ITEMS, indent=indent, ensure_ascii=False), encoding="utf-8")
    assert list(iterate_json_array(path)) == ITEMS
    path.write_text("[ ] ")
    assert list(iterate_json_array(path)) == []


@pytest.mark.parametrize(
    "content", ["", "{}", "[1, 2", "[1, 2,", '["a', "[1, oops]", b"[\xff]", "[" * 100_000, "[1] [2]", "[1]]"]
)
def test_damaged_json_arrays_are_named(tmp_path: Path, content: str | bytes):
    path = tmp_path / "list.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"list\.json"):
        list(iterate_json_array(path))


def test_a_long_array_does_not_fill_the_memory(tmp_path: Path):
    path = tmp_path / "list.json"
    item = json.dumps({"id": 1, "regions": [{"phrase": "a red car on the road", "x": 1}] * 20})
    number = 16_000
    path.write_text(f"[{','.join([item] * number)}]")
    assert path.stat().st_size > 12 << 20
    tracemalloc.start()
    try:
        assert sum(1 for _ in iterate_json_array(path)) == number
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_the_share_held_out(tmp_path: Path):
    def held(rows: int, share: float, seed: int = 0) -> np.ndarray:
        return hold_out(rows, PrepareOptions(tmp_path, tmp_path, val_fraction=share, seed=seed))

    assert held(1000, 0.1).sum() == 100
    assert (held(1000, 0.1) == held(1000, 0.1)).all()
    assert (held(1000, 0.1) != held(1000, 0.1, seed=1)).any()
    assert 20 < held(1000, 0.1)[:500].sum() < 80  # drawn from all over
    assert held(3, 0.01).sum() == 1
    assert held(2, 0.99).sum() == 1
    with pytest.raises(UserError, match="too few"):
        held(1, 0.5)
