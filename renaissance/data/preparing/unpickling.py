"""Opens CIFAR's pickles without running anything that they name.

`pickle.load` calls whatever a file says. Here a file may name numpy's array constructors and nothing else, and
these names lead to stand-ins that only keep the numbers; numpy itself is not handed any of it.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renaissance.errors import UserError

_MOST_BYTES = 1 << 30
_MOST_ENTRIES = 1 << 20  # of the unpickler's memory; CIFAR's files have some 20,000
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")


class _KindStandIn:
    """Stands in for `numpy.dtype`."""

    def __init__(self, code: Any = "", *_: object):
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, _: object) -> None: ...


class _ArrayStandIn:
    """Stands in for `numpy.ndarray`: keeps the shape, the kind and the bytes."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _make_array(*_: object) -> _ArrayStandIn:
    """Stands in for numpy's `_reconstruct`."""
    return _ArrayStandIn()


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for `_codecs.encode`, by which Python 3 writes bytes in the old protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in {encoding}")
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Any] = {
    **{(module, "_reconstruct"): _make_array for module in _ARRAY_MODULES},
    ("numpy", "ndarray"): _ArrayStandIn,
    ("numpy", "dtype"): _KindStandIn,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name. Raises UnpicklingError for any other."""
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which a CIFAR file has no business with")
        return _STAND_INS[module, name]


def open_pickle(path: Path) -> dict[str, Any]:
    """The dict in one of CIFAR's files, with text as keys and arrays of bytes (N, M) uint8.

    Raises:
        UserError: the file is damaged, or names anything but arrays.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path} is larger than {_MOST_BYTES:,} bytes, which no CIFAR file is.")
        data = path.read_bytes()
        _check_memo(data)
        content = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        if not isinstance(content, dict):
            raise pickle.UnpicklingError("it is no dict")
        return {_as_text(key): _plain(value) for key, value in content.items()}
    except UserError:
        raise
    except Exception as error:  # a damaged pickle raises anything
        raise UserError(f"{path} is refused: {str(error)[:200]}. Download CIFAR-10 again from its own site.") from None


def _check_memo(data: bytes) -> None:
    """Refuse a far entry of the unpickler's memory: it would allocate all before it."""
    for code, place, _ in pickletools.genops(data):
        if code.name.endswith("PUT") and int(str(place)) > _MOST_ENTRIES:
            raise pickle.UnpicklingError(f"it asks for {place} entries of memory")


def _plain(value: object) -> object:
    if isinstance(value, _ArrayStandIn):
        return _array(value)
    if isinstance(value, list):
        return [_as_text(item) if isinstance(item, bytes) else item for item in value]
    return value


def _array(stand_in: _ArrayStandIn) -> NDArray[np.uint8]:
    _, shape, kind, by_column, data = stand_in.state
    if not isinstance(kind, _KindStandIn) or kind.code not in ("u1", "|u1", "uint8") or not isinstance(data, bytes):
        raise pickle.UnpicklingError("its array is not of bytes")
    return np.frombuffer(data, np.uint8).reshape(shape, order="F" if by_column else "C")


def _as_text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
