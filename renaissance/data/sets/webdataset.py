"""WebDataset's tar shards, and the tables `<name>_{train,val,test}` that come of them.

`prepare with dataset=webdataset dataset_name=cc3m raw_root='/data/cc3m/{00000..00331}.tar'`, then `datasets=["cc3m"]`.
"""

from __future__ import annotations

import glob
import os
import re
from math import prod
from pathlib import Path

from renaissance.data.preparing.image_texts import write_image_texts
from renaissance.data.preparing.raw_files import find_root
from renaissance.data.preparing.splits import splits_of_files
from renaissance.data.preparing.tar_shards import make_shard_row, shard_rows
from renaissance.data.sets.folder import CaptionTables, table_name
from renaissance.data.sets.interface import PrepareOptions, TableReport
from renaissance.errors import UserError

LAYOUT = """
*.tar     in it or in folders below, with the files of a sample side by side: 000017.jpg (or another picture) and
          000017.txt or 000017.json with "caption". Names such as train-0000.tar or folders train/ val/ test/ divide
          them; without a val split, a share of the training pictures (val_fraction) becomes one. raw_root may also
          name the shards: /data/cc3m/{00000..00331}.tar or /data/cc3m/*.tar
"""
_MOST_SHARDS = 1_000_000
_SHOWN = 3


class WebDataset(CaptionTables):
    """Tables that come of tar shards."""

    def __init__(self) -> None:
        super().__init__("webdataset")

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        pattern = str(options.raw_root)
        if options.raw_root is not None and not options.raw_root.is_dir() and pattern.endswith(".tar"):
            paths = _shards_named(pattern)
            root = Path(os.path.commonpath([path.parent for path in paths]))
        else:
            root = find_root(options, lambda folder: bool(_shards_below(folder)), "webdataset", LAYOUT)
            paths = _shards_below(root)
        name = table_name(options.dataset_name, root)
        rows, columns = shard_rows(splits_of_files(paths, root), options)
        return write_image_texts(name, rows, make_shard_row, columns, options)


def _shards_below(folder: Path) -> list[Path]:
    """The shards of a folder and of those below it, but for hidden ones, in the order of their names."""
    found = (path.relative_to(folder) for path in folder.rglob("*.tar") if path.is_file())
    return sorted(folder / path for path in found if not any(part.startswith(".") for part in path.parts))


def _shards_named(pattern: str) -> list[Path]:
    """The shards that a pattern with braces or stars names, in its order.

    Raises:
        UserError: some are missing, or webdataset is.
    """
    try:
        from braceexpand import braceexpand
    except ImportError:
        raise UserError("dataset=webdataset needs the package webdataset: pip install webdataset") from None
    ranges = re.findall(r"\{(-?\d+)\.\.(-?\d+)", pattern)  # before braceexpand writes down every number of one
    if prod(abs(int(last) - int(first)) + 1 for first, last in ranges) > _MOST_SHARDS:
        raise UserError(f"raw_root={pattern} names more than {_MOST_SHARDS:,} shards.")
    try:
        names = list(braceexpand(pattern))
    except ValueError as error:
        raise UserError(f"raw_root={pattern}: its braces do not match ({error}).") from None
    paths = [Path(path).absolute() for name in names for path in (sorted(glob.glob(name)) or [name])]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise UserError(
            f"raw_root={pattern} names {len(paths)} shards, of which {len(missing)} are missing: "
            f"{', '.join(missing[:_SHOWN])}{more}."
        )
    return list(dict.fromkeys(paths))
