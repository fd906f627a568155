"""CIFAR-10 in each of its forms, and pickles that would do something else than hold pictures."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from renaissance.data.sets.cifar10 import LABELS
from renaissance.errors import UserError
from tests.data.raw_folders import cifar_pixels, decode, from_cifar, picture, prepare, read, write

TRAIN = 4  # pictures a batch file


def _batch(name: str) -> int:
    """The number of a batch file, which its pictures are made from."""
    return 6 if name.startswith("test") else int(name.removesuffix(".bin")[-1])


def _python_form(root: Path) -> Path:
    """Like the original: text keys, protocol 2, an array of bytes."""
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for name in names:
        pixels, labels = cifar_pixels(TRAIN, _batch(name))
        files = [f"{name}_picture_{place}.png" for place in range(TRAIN)]
        content = {"batch_label": name, "labels": labels, "data": pixels, "filenames": files}
        write(root / "cifar-10-batches-py" / name, pickle.dumps(content, protocol=2))
    return root / "cifar-10-batches-py"


def _binary_form(root: Path) -> Path:
    for name in [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]:
        pixels, labels = cifar_pixels(TRAIN, _batch(name))
        records = np.concatenate([np.array(labels, np.uint8)[:, None], pixels], axis=1)
        write(root / "cifar-10-batches-bin" / name, records.tobytes())
    return root / "cifar-10-batches-bin"


@pytest.mark.parametrize("make", [_python_form, _binary_form])
@pytest.mark.parametrize("inside", [True, False])
def test_batches(tmp_path: Path, make: Any, inside: bool):
    folder = make(tmp_path / "raw")
    root = folder if inside else tmp_path / "raw"
    reports = prepare("cifar10", root, tmp_path / "arrow", val_fraction=0.25)
    assert {name: report.rows for name, report in reports.items()} == {
        "cifar10_train": 15,
        "cifar10_val": 5,
        "cifar10_test": TRAIN,
    }
    table = read(tmp_path / "arrow" / "cifar10_test.arrow")
    assert json.loads(table.schema.metadata[b"label_names"]) == list(LABELS)
    pixels, labels = cifar_pixels(TRAIN, 6)
    assert table["label"].to_pylist() == labels
    for row, data in enumerate(table["image"].to_pylist()):
        assert data.startswith(b"\x89PNG")
        np.testing.assert_array_equal(decode(data), from_cifar(pixels[row]))
    ids = [read(tmp_path / "arrow" / f"cifar10_{split}.arrow")["image_id"].to_pylist() for split in ("train", "val")]
    assert len({*ids[0], *ids[1]}) == 20  # every training picture in one of the two


def test_real_pickles(tmp_path: Path, real_data: Path):
    reports = prepare("cifar10", real_data, tmp_path)  # the folder that holds it
    assert [report.rows for report in reports.values()] == [4577, 508, 1017]
    with open(real_data / "cifar-10-batches-py" / "test_batch", "rb") as file:
        raw = pickle.load(file, encoding="latin1")
    table = read(tmp_path / "cifar10_test.arrow")
    assert table["label"].to_pylist() == raw["labels"]
    assert table["image_id"].to_pylist() == raw["filenames"]
    for row in (0, 500, 1016):
        np.testing.assert_array_equal(decode(table["image"][row].as_py()), from_cifar(raw["data"][row]))


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("splits", [("train", "test"), ("train", "val", "test"), ("",)])
def test_folders_named_after_the_classes(tmp_path: Path, form: str, splits: tuple[str, ...]):
    expected = {}
    for place, split in enumerate(splits):
        for label, name in enumerate(LABELS):
            for number in range(2):
                data = picture(100 * place + 10 * number + label, form, (32, 32))
                expected[split, label, number] = decode(data)
                write(tmp_path / "raw" / split / name / f"{number}.{form.lower()}", data)
    reports = prepare("cifar10", tmp_path, tmp_path / "arrow", val_fraction=0.3)
    rows = {name.removeprefix("cifar10_"): report.rows for name, report in reports.items()}
    divided = {"train": 14, "val": 6}
    assert rows == (
        divided if splits == ("",) else divided | {"test": 20} if "val" not in splits else dict.fromkeys(splits, 20)
    )
    last = "test" if "test" in splits else "train"
    table = read(tmp_path / "arrow" / f"cifar10_{last}.arrow")
    for row in table.to_pylist():
        assert row["image"].startswith(b"\x89PNG")
        number = int(Path(row["image_id"]).stem)
        assert row["image_id"].startswith(LABELS[row["label"]])
        np.testing.assert_array_equal(decode(row["image"]), expected[splits[-1], row["label"], number])


class _Command:
    """Pickled, it is a call of a function: what plain `pickle.load` would do."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "posix.system"),
        (eval, "__builtin__.eval"),
        (np.load, "numpy.load"),
        (getattr, "__builtin__.getattr"),
    ],
)
def test_a_pickle_that_names_anything_else_is_refused(tmp_path: Path, function: Any, name: str):
    folder = _python_form(tmp_path)
    trace = tmp_path / "it_ran"
    content = {"data": _Command(function, f"touch {trace}"), "labels": []}
    write(folder / "data_batch_3", pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match="refused") as caught:
        prepare("cifar10", folder, tmp_path / "arrow")
    assert name.split(".")[1] in str(caught.value)
    assert "data_batch_3" in str(caught.value)
    assert not trace.exists()
    assert not list((tmp_path / "arrow").glob("*.arrow"))


def test_the_hostile_pickle_would_have_run(tmp_path: Path):
    """The test above can fail: plain `pickle.loads` runs the command."""
    trace = tmp_path / "it_ran"
    pickle.loads(pickle.dumps(_Command(os.system, f"touch {trace}"), protocol=2))
    assert trace.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps([1, 2], protocol=2),
        pickle.dumps({"data": 3, "labels": [1]}, protocol=2),
        pickle.dumps({"data": np.zeros((2, 3072)), "labels": [1, 1]}, protocol=2),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, protocol=2),
        pickle.dumps({"data": np.zeros((2, 100), np.uint8), "labels": [1, 1]}, protocol=2),
        pickle.dumps({"data": np.array([os.system] * 2, dtype=object), "labels": [1, 1]}, protocol=2),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 1]}, protocol=2)[:-20],
        b"\x80\x02}r\xff\xff\xff\x7f.",  # asks for two thousand million entries of memory
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x00.",  # bytes of 2^56
    ],
)
def test_damaged_pickles_are_named(tmp_path: Path, content: bytes):
    folder = _python_form(tmp_path)
    write(folder / "data_batch_2", content)
    with pytest.raises(UserError, match="data_batch_2"):
        prepare("cifar10", folder, tmp_path / "arrow")


def test_missing_and_cut_batches_are_named(tmp_path: Path):
    folder = _binary_form(tmp_path)
    path = folder / "data_batch_4.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_4\.bin has"):
        prepare("cifar10", folder, tmp_path / "arrow")
    path.unlink()
    with pytest.raises(UserError, match=r"data_batch_4\.bin missing"):
        prepare("cifar10", folder, tmp_path / "arrow")


def test_a_label_that_is_no_class_is_rejected(tmp_path: Path):
    folder = _binary_form(tmp_path)
    data = bytearray((folder / "test_batch.bin").read_bytes())
    data[3073] = 10
    write(folder / "test_batch.bin", bytes(data))
    reports = prepare("cifar10", folder, tmp_path / "arrow", max_rejected_fraction=0.5)
    assert (reports["cifar10_test"].rows, reports["cifar10_test"].rejected) == (TRAIN - 1, 1)
    assert "its label is 10" in (tmp_path / "arrow" / "cifar10_test.rejected.csv").read_text()
