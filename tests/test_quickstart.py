"""The quickstart's promise: well above chance on held-out pictures, and words that come from their picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.command_line import execute, final_metrics


def quickstart(data_root: Path, log_dir: Path, *overrides: str) -> dict[str, float]:
    """Run `python run.py with quickstart`; gives its final metrics."""
    places = [f"data_root={data_root}", f"log_dir={log_dir}"]
    return final_metrics(execute("with", "quickstart", *places, *overrides, timeout=1800))


def shuffle_pictures(data_root: Path, shuffled_root: Path) -> None:
    """Copy the scenes' tables, with the pictures of each split in another order than their captions."""
    shuffled_root.mkdir()
    for path in data_root.glob("scenes*.arrow"):
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        if path.stem in ("scenes_train", "scenes_val", "scenes_test"):
            order = np.random.default_rng(0).permutation(len(table))
            place = table.schema.get_field_index("image")
            table = table.set_column(place, table.schema.field("image"), table["image"].take(pa.array(order)))
        with pa.OSFile(str(shuffled_root / path.name), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)


@pytest.mark.slow
def test_the_quickstart_learns_to_match_and_takes_words_from_pictures(tmp_path):
    final = quickstart(tmp_path / "arrow", tmp_path / "result")
    assert final["itm/test/accuracy"] >= 0.90
    shuffle_pictures(tmp_path / "arrow", tmp_path / "shuffled")
    blind = quickstart(tmp_path / "shuffled", tmp_path / "result", "exp_name=shuffled")
    assert final["mlm/test/accuracy"] >= blind["mlm/test/accuracy"] + 0.20
    assert blind["itm/test/accuracy"] < 0.6, "nothing but the picture tells a true pair from a false one"
