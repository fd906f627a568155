"""Flickr30k captions in Karpathy's split."""

from __future__ import annotations

from pathlib import Path

from renaissance.data.preparing.captions import caption_plan, karpathy_rows
from renaissance.data.preparing.raw_files import find_root
from renaissance.data.preparing.writing import write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport

LAYOUT = """
flickr30k-images/             the pictures
karpathy/dataset_flickr30k.json
"""
_IMAGES = "flickr30k-images"
_KARPATHY = Path("karpathy") / "dataset_flickr30k.json"


class Flickr30k(DataSet):
    """Tables `f30k_caption_karpathy_{train,val,test}`."""

    name = "f30k"
    schemas = ("caption",)

    def tables(self, schema: str, split: str) -> TableNames:
        table = f"f30k_caption_karpathy_{split}"
        return TableNames(optional=(table,)) if split == "test" else TableNames(required=(table,))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "f30k", LAYOUT)
        splits = karpathy_rows(root / _KARPATHY, root / _IMAGES)
        plans = [
            caption_plan(f"f30k_caption_karpathy_{split}", rows)
            for split, rows in splits.items()
            if split in ("train", "val", "test")
        ]
        return write_tables(plans, options, {})


def _is_root(folder: Path) -> bool:
    return (folder / _KARPATHY).is_file() and (folder / _IMAGES).is_dir()
