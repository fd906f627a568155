"""Conceptual Captions (Google's), as fetched: pictures and a list of (path, caption). Tables in shards, as ViLT's."""

from __future__ import annotations

from pathlib import Path

from renaissance.data.preparing.listed import shard_plans
from renaissance.data.preparing.raw_files import find_root
from renaissance.data.preparing.writing import write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport

LAYOUT = """
train_annot.json    a JSON list of [path, caption] pairs, the paths from this folder (images_train/…)
val_annot.json      a JSON list of [path, caption] pairs, the paths from this folder (images_val/…)
"""
_SHARDS: dict[str, int] = {"train": 31, "val": 1, "test": 0}  # of the published tables


class ConceptualCaptions(DataSet):
    """Tables `conceptual_caption_train_{0..30}` and `conceptual_caption_val_0`."""

    name = "gcc"
    schemas = ("caption",)

    def tables(self, schema: str, split: str) -> TableNames:
        return TableNames(optional=tuple(f"conceptual_caption_{split}_{shard}" for shard in range(_SHARDS[split])))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "gcc", LAYOUT)
        splits: tuple[str, ...] = ("train", "val")
        plans = [
            plan
            for split in splits
            for plan in shard_plans(root / f"{split}_annot.json", split, f"conceptual_caption_{split}")
        ]
        return write_tables(plans, options, {})


def _is_root(folder: Path) -> bool:
    return (folder / "train_annot.json").is_file() and (folder / "val_annot.json").is_file()
