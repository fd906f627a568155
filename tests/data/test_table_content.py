"""What tells a table's content: another content another text, however the file is called, and quick for large ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from renaissance.data.tables.content import WHOLE_BYTES, content_of


def changed(path: Path, place: int) -> Path:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    return path


def test_a_small_table_is_told_by_every_byte_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(300_000))
    (tmp_path / "two").write_bytes(bytes(300_000))
    before = content_of(tmp_path / "one")
    assert content_of(tmp_path / "two") == before
    assert content_of(changed(tmp_path / "two", 123_457)) != before


@pytest.mark.parametrize("place", [0, -1], ids=["begins", "ends"])
def test_a_table_of_100_gb_takes_no_time_and_is_told_by_its_footer(tmp_path: Path, place: int) -> None:
    size = 100 << 30
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)  # takes no room
    started = time.process_time()
    before = content_of(tmp_path / "large")
    assert time.process_time() - started < 1
    assert before.startswith("sampled ")
    assert content_of(changed(tmp_path / "large", place % size)) != before


def test_a_large_table_of_another_length_is_another(tmp_path: Path) -> None:
    found = set()
    for size in (WHOLE_BYTES + 1, WHOLE_BYTES + 2):
        with (tmp_path / "large").open("wb") as file:
            file.truncate(size)
        found.add(content_of(tmp_path / "large"))
    assert len(found) == 2
