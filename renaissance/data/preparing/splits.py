"""Which split an image belongs to: as its source says, or held out by seed, all copies of a picture on one side.

In: names of splits, paths, digests of image files. Out: "train", "val" or "test".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path, PurePath
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError

SPLITS: tuple[str, ...] = ("train", "val", "test")
SPLIT_NAMES: dict[str, str] = {
    **{"train": "train", "training": "train", "restval": "train"},  # the last is Karpathy's rest of val2014
    **{"val": "val", "valid": "val", "validation": "val", "dev": "val", "minival": "val"},
    **{"test": "test"},
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of val2017, testA and coco_val: val, test and A, coco and val
_SHOWN = 3  # files that a message lists


class OfSplit(Protocol):
    """A row that knows the split which its source gives it."""

    @property
    def split(self) -> str: ...


Row = TypeVar("Row", bound=OfSplit)


def split_in_path(path: PurePath) -> str | None:
    """The split that a file's path names, as `train/0000.tar`, `val2017/0.tar` and `data/train-00000.parquet` do.

    The outermost folder that is called like a split tells it, else a word in the names of the file and its folders.
    None where neither does.

    Args:
        path: the file, from the data set's folder.

    Raises:
        UserError: the names have the words of two splits.
    """
    for folder in path.parts[:-1]:
        if folder.lower() in SPLIT_NAMES:
            return SPLIT_NAMES[folder.lower()]
    of_parts = [_splits_in(part) for part in path.parts]
    # A folder such as train_and_test/ speaks of its content, and the names in it tell which is which.
    telling = [splits for splits in of_parts[:-1] if len(splits) == 1] + of_parts[-1:]
    found = _all_of(telling) or _all_of(of_parts)
    if len(found) > 1:
        raise UserError(
            f"The name of {path} speaks of two splits, {' and '.join(found)}. Rename it, or lay such files into "
            f"folders {', '.join(f'{split}/' for split in SPLITS)}."
        )
    return found[0] if found else None


def splits_of_files(paths: Sequence[Path], root: Path) -> dict[Path, str]:
    """The split of each file as its path names it; "train" for all where no path names one.

    Args:
        paths: the files.
        root: the data set's folder.

    Raises:
        UserError: some name a split and some do not, or one names two.
    """
    named = {path: split_in_path(path.relative_to(root)) for path in paths}
    undecided = [str(path.relative_to(root)) for path, split in named.items() if split is None]
    if undecided and len(undecided) < len(named):
        more = f" and {len(undecided) - _SHOWN} more" if len(undecided) > _SHOWN else ""
        raise UserError(
            f"{root}: some files name their split, and {len(undecided)} of {len(named)} do not: "
            f"{', '.join(undecided[:_SHOWN])}{more}. Rename these, or lay them into folders "
            f"{', '.join(f'{split}/' for split in SPLITS)}."
        )
    return {path: split or "train" for path, split in named.items()}


def _splits_in(name: str) -> list[str]:
    """The splits that the words of a file's or folder's name mean; a letter behind one numbers it, as in testa."""
    words = [word.lower() for word in _WORD.findall(name)]
    splits = [SPLIT_NAMES.get(word) or SPLIT_NAMES.get(re.sub("[abc]$", "", word)) for word in words]
    return _all_of([[split] for split in splits if split])


def _all_of(lists: Iterable[Iterable[str]]) -> list[str]:
    """What stands in some lists, each once, in their order."""
    return list(dict.fromkeys(chain.from_iterable(lists)))


def by_split(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each split, in their order."""
    splits: dict[str, list[Row]] = {}
    for row in rows:
        splits.setdefault(row.split, []).append(row)
    return splits


def hold_out_images(
    splits: dict[str, list[Row]], digests: Sequence[str], options: PrepareOptions, faults: Sequence[str] = ()
) -> dict[str, object]:
    """Make some rows of "train" the split "val", the same pictures whatever order their source has them in.

    Args:
        splits: rows by split, without "val"; changed in place.
        digests: of each row of "train" the digest of its image file, equal for copies of one picture; "" where the
            file cannot be read.
        options: say how many rows, and which.
        faults: of rows that cannot be used where and why, for the message.

    Returns:
        what decided on the division, for the tables' metadata.

    Raises:
        UserError: there are not two pictures to divide.
    """
    held_out = held_out_images(digests, options, faults)
    train = splits["train"]
    splits["train"] = [row for row, out in zip(train, held_out, strict=True) if not out]
    splits["val"] = [row for row, out in zip(train, held_out, strict=True) if out]
    return {"seed": options.seed, "val_fraction": options.val_fraction, "grouped_by": "image"}


def held_out_images(digests: Sequence[str], options: PrepareOptions, faults: Sequence[str] = ()) -> NDArray[np.bool_]:
    """Which rows are held out for validation: (len(digests),), a share of `val_fraction`, copies together.

    Pictures are taken in the order of a hash of seed and digest, so the order of the rows decides on nothing. Copies
    that are more than what is still wanted stay in training.

    Args:
        digests: of the rows' image files; a row with "" stays in training.
        options: say how many rows, and which.
        faults: of rows that cannot be used where and why, for the message.

    Raises:
        UserError: there are not two pictures to divide.
    """
    copies: dict[str, list[int]] = {}
    for row, digest in enumerate(digests):
        if digest:
            copies.setdefault(digest, []).append(row)
    if len(copies) < 2:
        unusable = f" {len(faults)} of {len(digests)} rows cannot be used; the first is {faults[0]}." if faults else ""
        raise UserError(
            f"{options.raw_root} has {len(copies)} different pictures for training: too few to hold some out for "
            f"validation.{unusable}"
        )
    drawn = sorted(copies, key=lambda digest: blake2b(f"{options.seed} {digest}".encode()).digest())
    wanted = min(max(round(len(digests) * options.val_fraction), 1), len(digests) - 1)
    held_out = np.zeros(len(digests), np.bool_)
    for digest in drawn[:-1]:  # one picture at least is for training
        rows = copies[digest]
        if len(rows) <= wanted:
            held_out[rows] = True
            wanted -= len(rows)
    if not held_out.any():
        held_out[min(copies.values(), key=len)] = True
    return held_out


def digest_of(data: bytes) -> str:
    """What tells image files apart: equal for equal bytes alone."""
    return blake2b(data, digest_size=16).hexdigest()
