"""Data sets of Hugging Face, from the hub or from a folder, and the tables `<name>_{train,val,test}` that come of them.

`prepare with dataset=huggingface raw_root=lambdalabs/pokemon-blip-captions dataset_name=pokemon`, then
`datasets=["pokemon"]`. A folder is one that `save_to_disk` wrote, or has Parquet files as the hub lays them out.
Scripts that a data set brings along are never run.
https://huggingface.co/docs/datasets
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from renaissance.data.preparing.image_texts import write_image_texts
from renaissance.data.preparing.raw_files import layout_message, load_json
from renaissance.data.preparing.splits import SPLIT_NAMES, split_in_path
from renaissance.data.preparing.table_files import make_table_row, table_rows
from renaissance.data.sets.folder import CaptionTables, table_name
from renaissance.data.sets.interface import PrepareOptions, TableReport
from renaissance.data.sets.parquet import parquet_files, prepare_parquet
from renaissance.errors import UserError

LAYOUT = """
dataset_dict.json, or dataset_info.json and state.json     as save_to_disk writes them, or
*.parquet       in it or in folders below, as the hub has them; names such as data/train-00000-of-00002.parquet
                divide them. Loading scripts (*.py) are never run.
"""
_OF_A_SPLIT = ("dataset_info.json", "state.json")
_OLDEST_DATASETS = 4  # before it, scripts of data sets could run
_PICTURES_AT_ONCE = 100
_NAME_ON_THE_HUB = re.compile(r"\w[\w.-]*/\w[\w.-]*")


class HuggingFace(CaptionTables):
    """Tables that come of a data set of Hugging Face."""

    def __init__(self) -> None:
        super().__init__("huggingface")

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        root = options.raw_root
        if root is None or (not root.exists() and not _NAME_ON_THE_HUB.fullmatch(str(root))):
            raise UserError(layout_message(root, "huggingface", LAYOUT))
        if not root.exists():
            return _prepare_files(root, _from_the_hub(str(root)), options)
        if _is_saved(root):
            return _prepare_files(root, _saved_files(root), options)
        if parquet_files(root):
            return prepare_parquet(root, options)
        raise UserError(layout_message(root, "huggingface", LAYOUT))


def _prepare_files(root: Path, paths: Mapping[Path, str], options: PrepareOptions) -> list[TableReport]:
    """Write the tables of Arrow files with their splits."""
    name = table_name(options.dataset_name, root)
    rows, columns = table_rows(paths, root, options)
    return write_image_texts(name, rows, make_table_row, columns, options)


def _is_saved(folder: Path) -> bool:
    return (folder / "dataset_dict.json").is_file() or all((folder / name).is_file() for name in _OF_A_SPLIT)


def _saved_files(folder: Path) -> dict[Path, str]:
    """The Arrow files of a folder that `save_to_disk` wrote, with their splits.

    Raises:
        UserError: it is not whole, or names files elsewhere.
    """
    if not (folder / "dataset_dict.json").is_file():
        return _files_of_split(folder, "train")
    names = _value(folder / "dataset_dict.json", "splits")
    files: dict[Path, str] = {}
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name) or not (folder / name).is_dir():
            raise UserError(
                f"{folder / 'dataset_dict.json'} names the split {name!r:.100}, and there is no such folder."
            )
        files |= _files_of_split(folder / name, _split(name, folder))
    return files


def _files_of_split(folder: Path, split: str) -> dict[Path, str]:
    """The files of one split, which its `state.json` names."""
    state = folder / "state.json"
    files = [_path_in(folder, entry, state) for entry in _value(state, "_data_files")]
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        raise UserError(
            f"{folder} is not whole: {missing[0] if missing else 'its data file'} is missing. Copy it again."
        )
    return dict.fromkeys(files, split)


def _path_in(folder: Path, entry: Any, state: Path) -> Path:
    """The file that an entry of `state.json` names, which lies beside it."""
    name = entry.get("filename") if isinstance(entry, dict) else None
    if not isinstance(name, str) or Path(name).name != name:
        raise UserError(f"{state} names a data file that does not lie beside it: {name!r:.200}.")
    return folder / name


def _value(path: Path, key: str) -> list[Any]:
    """A list in a JSON file."""
    content = load_json(path) if path.is_file() else {}
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, list):
        raise UserError(f"{path} is missing or has no list {key!r}: the folder is not whole. Copy it again.")
    return value


def _split(name: str, where: object) -> str:
    """The split that a data set's own name of it means."""
    split = SPLIT_NAMES.get(name.lower()) or split_in_path(Path(name))
    if split is None:
        raise UserError(f"{where} has the split {name!r}, which is none of {', '.join(SPLIT_NAMES)}. Rename it.")
    return split


def _from_the_hub(name: str) -> dict[Path, str]:
    """Fetch a data set into the cache of `datasets`; its Arrow files there, with their splits.

    Raises:
        UserError: it cannot be fetched, or `datasets` is missing or too old.
    """
    try:
        import datasets
    except ImportError:
        raise UserError("Data sets of the hub need the package datasets: pip install datasets") from None
    if int(datasets.__version__.partition(".")[0]) < _OLDEST_DATASETS:
        raise UserError(
            f"datasets {datasets.__version__} can run scripts that a data set of the hub brings along. Install a newer "
            f"one: pip install 'datasets>={_OLDEST_DATASETS}'"
        )
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells of every attempt that fails
    print(f"fetching {name} from the Hugging Face hub …", flush=True)
    try:
        found = {split: _with_pictures(data) for split, data in datasets.load_dataset(name).items()}
    except Exception as error:  # of the network, of the hub, of the data set: there are dozens
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"raw_root={name} is no folder here, and cannot be fetched from the Hugging Face hub ({reason}). Without a "
            "network, copy the data set's folder here and give that."
        ) from None
    return {Path(file["filename"]): _split(split, name) for split, data in found.items() for file in data.cache_files}


def _with_pictures(data: Any) -> Any:
    """A split with its pictures in it: of a folder of pictures, `datasets` keeps their paths alone in its cache.

    Paths that the tables of other data sets have are not followed out of these.
    https://huggingface.co/docs/datasets/image_dataset
    """
    if data.info.builder_name != "imagefolder":
        return data
    from datasets.table import embed_table_storage

    of_tables = data.with_format("arrow")
    return of_tables.map(embed_table_storage, batched=True, batch_size=_PICTURES_AT_ONCE, desc="taking pictures in")
