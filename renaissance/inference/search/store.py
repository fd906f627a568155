"""Features of tables, computed once and kept beside them: `<table>.features/<what>-<fingerprint>.npy`.

In: a model and a table. Out: (N, E) float32, mapped from the file, so that a table of any size takes little memory. The
name holds a fingerprint of the weights, the transform and the table's content: with another of these, another file is
looked for, and none is read that is stale; a file that is not what is written here is written anew. The folder may be
deleted at any time.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from renaissance.atomic_files import whole_file
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples
from renaissance.inference.features import stream_features
from renaissance.inference.model import Model
from renaissance.inference.search.fingerprints import model_fingerprint, table_fingerprint
from renaissance.settings import Settings

Side = Literal["images", "captions"]
Features = NDArray[np.float32]

FOLDER = ".features"  # behind the table's name
NEEDS: dict[Side, DataNeeds] = {
    "images": DataNeeds(CAPTIONS, image=True, text=False),  # an example is a row
    "captions": DataNeeds(CAPTIONS, image=False, text=True),  # an example is a text
}


class FeatureStore:
    """The features that one model gives of tables.

    Args:
        model: with a joint space.
        settings: of the command: batch size and worker processes.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model = model
        self._settings = settings
        self._fingerprint = model_fingerprint(model)

    @contextmanager
    def features(self, table: Path, side: Side) -> Iterator[Features]:
        """The features (N, E) of a table's images or captions, read or computed; valid within the block.

        Raises:
            UserError: the table cannot be read.
            DiskFull: there is no room for them.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(_writable(table.with_name(table.stem + FOLDER)))
            content = table_fingerprint(table, folder / "table.json")
            key = hashlib.sha256(f"{self._fingerprint} {content}".encode()).hexdigest()[:32]
            path = folder / f"{side}-{key}.npy"
            examples = TableExamples([table], NEEDS[side])
            shape = (len(examples), self._model.settings.contrastive_size)
            found = _read(path, shape)
            if found is None:
                try:
                    self._compute(examples, side, path)
                except OSError as error:  # something else is there, and cannot be replaced
                    print(_not_kept(path, error))
                    path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / path.name
                    self._compute(examples, side, path)
                found = _read(path, shape)
                assert found is not None
            yield found

    def _compute(self, examples: TableExamples, side: Side, path: Path) -> None:
        """Write the features of all examples, a batch at a time; the file is whole or not there."""
        joint = self._model.joint_space()
        encode = joint.embed_image if side == "images" else joint.embed_text
        what = f"{side} of {examples.paths[0].name}"
        with whole_file(path) as temporary, temporary.open("wb") as file:
            rows = 0
            for block in stream_features(self._model, examples, encode, self._settings, what):
                if rows == 0:
                    header = {"descr": "<f4", "fortran_order": False, "shape": (len(examples), block.shape[1])}
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(block.numpy().astype("<f4").tobytes())
                rows += len(block)


@contextmanager
def _writable(folder: Path) -> Iterator[Path]:
    """A folder to write to: this one, or where that cannot be made or written to, one that goes at the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        print(_not_kept(folder, error))
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    yield folder


def _not_kept(path: Path, error: OSError) -> str:
    return f"{path}: cannot be written ({error.strerror or error}), so the features are not kept"


def _read(path: Path, shape: tuple[int, int]) -> Features | None:
    """The features in a file; None where it is not there, or is not what it should be."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, SyntaxError, BadZipFile) as error:
        print(f"{path}: cannot be read ({error}); it is written anew")
        return None
    if not isinstance(found, np.memmap):  # an archive of several arrays
        found.close()
    elif found.dtype == np.dtype("<f4") and found.shape == shape and found.flags.c_contiguous:
        return found
    print(f"{path}: holds other features than those of {shape[0]:,} examples; it is written anew")
    return None
