"""SBU captions, as fetched: pictures and a list of (path, caption). For training only; tables in shards, as ViLT's."""

from __future__ import annotations

from pathlib import Path

from renaissance.data.preparing.listed import shard_plans
from renaissance.data.preparing.raw_files import find_root
from renaissance.data.preparing.writing import write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport

LAYOUT = """
annot.json    a JSON list of [path, caption] pairs, the paths from this folder (images_train/…)
"""
_SHARDS = 9  # of the published tables


class Sbu(DataSet):
    """Tables `sbu_{0..8}`."""

    name = "sbu"
    schemas = ("caption",)

    def tables(self, schema: str, split: str) -> TableNames:
        return TableNames(optional=tuple(f"sbu_{shard}" for shard in range(_SHARDS if split == "train" else 0)))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "sbu", LAYOUT)
        return write_tables(shard_plans(root / "annot.json", "train", "sbu"), options, {})


def _is_root(folder: Path) -> bool:
    return (folder / "annot.json").is_file()
