"""COCO captions: Karpathy's split of COCO 2014, or the official split of 2017 or 2014.

https://cocodataset.org/#download, https://cs.stanford.edu/people/karpathy/deepimagesent/
"""

from __future__ import annotations

from pathlib import Path

from renaissance.data.preparing.captions import CaptionRow, caption_plan, karpathy_rows, official_rows
from renaissance.data.preparing.raw_files import find_root, hold_out_validation, layout_message
from renaissance.data.preparing.writing import write_tables
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport
from renaissance.errors import UserError

LAYOUT = """
karpathy/dataset_coco.json    with train2014/ and val2014/ (Karpathy's split), or
annotations/captions_train2017.json and captions_val2017.json    with train2017/ and val2017/, or
annotations/captions_train2014.json and captions_val2014.json    with train2014/ and val2014/
"""
_KARPATHY = Path("karpathy") / "dataset_coco.json"
_SPLITS = ("train", "restval", "val", "test")


class Coco(DataSet):
    """Tables `coco_caption_karpathy_{train,restval,val,test}`; the official split has train and val."""

    name = "coco"
    schemas = ("caption",)

    def tables(self, schema: str, split: str) -> TableNames:
        table = f"coco_caption_karpathy_{split}"
        if split == "train":
            return TableNames(required=(table,), optional=("coco_caption_karpathy_restval",))
        return TableNames(required=(table,)) if split == "val" else TableNames(optional=(table,))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = find_root(options, _is_root, "coco", LAYOUT)
        if (root / _KARPATHY).is_file():
            _check_folders(root, "train2014", "val2014")
            splits = karpathy_rows(root / _KARPATHY, root)
            parameters: dict[str, object] = {"layout": "karpathy"}
        else:
            splits, parameters = _official(root, options)
        unknown = set(splits) - set(_SPLITS)
        if unknown or "train" not in splits:
            raise UserError(f"{root}: its splits are {sorted(splits)}, but should be among {list(_SPLITS)} with train.")
        plans = [caption_plan(f"coco_caption_karpathy_{split}", splits[split]) for split in _SPLITS if split in splits]
        return write_tables(plans, options, parameters)


def _official(root: Path, options: PrepareOptions) -> tuple[dict[str, list[CaptionRow]], dict[str, object]]:
    """The official training and validation images; without the latter, a share of the former. With the parameters."""
    year = "2017" if _annotations(root, "train", "2017").is_file() else "2014"
    found = [split for split in ("train", "val") if _annotations(root, split, year).is_file()]
    _check_folders(root, *(f"{split}{year}" for split in found))
    splits = {split: official_rows(_annotations(root, split, year), root / f"{split}{year}", split) for split in found}
    return splits, {"layout": year, **hold_out_validation(splits, options)}


def _check_folders(root: Path, *names: str) -> None:
    if not all((root / name).is_dir() for name in names):
        raise UserError(layout_message(root, "coco", LAYOUT))


def _annotations(root: Path, split: str, year: str) -> Path:
    return root / "annotations" / f"captions_{split}{year}.json"


def _is_root(folder: Path) -> bool:
    official = (_annotations(folder, "train", year) for year in ("2014", "2017"))
    return (folder / _KARPATHY).is_file() or any(path.is_file() for path in official)
