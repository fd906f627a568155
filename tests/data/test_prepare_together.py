"""`prepare` beside itself: two at once, folders that cannot be written, and the sets that come as lists."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from renaissance.data.preparing.prepare import prepare
from renaissance.errors import UserError
from renaissance.settings import Settings

from .conftest import MakePicture

MakeSettings = Callable[..., Settings]
Prepare = Callable[..., dict[str, tuple[int, int, int, bool]]]
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, make_settings: MakeSettings) -> Prepare:
    """Prepares into `tables`; gives (rows, texts, rejected, kept) by table."""

    def call(**settings: Any) -> dict[str, tuple[int, int, int, bool]]:
        reports = prepare(make_settings(**{"data_root": str(tmp_path / "tables"), **settings}))
        return {report.table: (report.rows, report.texts, report.rejected, report.kept) for report in reports}

    return call


def karpathy(splits: Iterable[str], folder: str | None = "val2014") -> dict[str, Any]:
    return {
        "images": [
            {
                **({"filepath": folder} if folder else {}),
                "filename": f"{number}.jpg",
                "split": split,
                "sentences": [{"raw": f"said {n} of {number}", "tokens": ["said"]} for n in range(5 + number % 2)],
            }
            for number, split in enumerate(splits)
        ],
        "dataset": "coco",
    }


def test_flickr30k(tmp_path: Path, run: Prepare, make_picture: MakePicture) -> None:
    root = tmp_path / "raw"
    (root / "flickr30k-images").mkdir(parents=True)
    (root / "karpathy").mkdir()
    for number in range(3):
        (root / "flickr30k-images" / f"{number}.jpg").write_bytes(make_picture(number, form="JPEG"))
    (root / "karpathy" / "dataset_flickr30k.json").write_text(json.dumps(karpathy(["train", "val", "test"], None)))
    counts = run(dataset="f30k", raw_root=str(root))
    assert [count[0] for count in counts.values()] == [1, 1, 1]


@pytest.mark.parametrize("name", ["gcc", "sbu"])
def test_listed_images(tmp_path: Path, run: Prepare, make_picture: MakePicture, name: str) -> None:
    root = tmp_path / "raw"
    (root / "images_train").mkdir(parents=True)
    (root / "images_train" / "0.jpg").write_bytes(make_picture(form="JPEG"))
    listed = json.dumps([["images_train/0.jpg", "a caption"]])
    for file in ("train_annot.json", "val_annot.json", "annot.json"):
        (root / file).write_text(listed)
    counts = run(dataset=name, raw_root=str(root))
    expected = {"gcc": ["conceptual_caption_train_0", "conceptual_caption_val_0"], "sbu": ["sbu_0"]}[name]
    assert counts == dict.fromkeys(expected, (1, 1, 0, False))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, run: Prepare) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/tables"):
        run(dataset="scenes", data_root=str(tmp_path / "file" / "tables"))


def test_no_torch_is_loaded() -> None:
    script = (
        "import sys, renaissance.data.preparing.prepare, renaissance.data.sets as s; "
        "s.data_sets(); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_two_at_once_write_once(tmp_path: Path, make_settings: MakeSettings) -> None:
    """The second waits for the first and keeps its tables."""
    script = (
        "from config import ex\n"
        "from renaissance.data.preparing.prepare import prepare\n"
        "from renaissance.settings import check_settings\n"
        f"chosen = {{'dataset': 'scenes', 'data_root': {str(tmp_path)!r}, 'num_scenes': 60}}\n"
        "prepare(check_settings({**ex.configurations[0](), **chosen}))"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(2)
    ]
    outputs = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(output.count("kept, was there already") for output in outputs) == [0, 25]
