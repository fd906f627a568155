"""From the names in `datasets` to the files of their tables; the sample set is drawn when it is not there yet."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from renaissance.data.examples.schema import Split
from renaissance.data.preparing.prepare import prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.data.sets.folder import CaptionTables
from renaissance.data.sets.interface import DataSet
from renaissance.errors import UserError
from renaissance.settings import Settings


def find_tables(settings: Settings, kind: str, split: Split) -> list[Path]:
    """The files of a split, in the order of `datasets`.

    Raises:
        UserError: no data set has this kind or split, or a file is missing.
    """
    data_root = Path(settings.data_root)
    chosen = _sets_of_kind(settings, kind)
    paths: list[Path] = []
    for data_set in chosen:
        _draw_if_missing(data_set, settings, kind)
        names = data_set.tables(kind, split)
        missing = [name for name in names.required if not _path(data_root, name).is_file()]
        there = [_path(data_root, name) for name in names.all if _path(data_root, name).is_file()]
        if missing or (names.all and not there and split == "train"):
            raise UserError(_missing_message(data_set, data_root, missing or list(names.all)))
        paths += there
    for place, path in enumerate(paths):
        if path in paths[:place]:
            raise UserError(
                f"datasets={list(settings.datasets)} names {path} twice, so its examples would count double: two of "
                "the names mean the same tables. Leave one out."
            )
    if not paths:
        names_chosen = [data_set.name for data_set in chosen]
        raise UserError(
            f"There is no {split} table of kind {kind} under {data_root} for datasets={names_chosen}. Write one with "
            "`python run.py prepare with dataset=…`, or name a data set that has this split."
        )
    return paths


def has_split(settings: Settings, kind: str, split: Split) -> bool:
    """Whether there is a table of this split (a data set may do without a test or a validation split)."""
    data_root = Path(settings.data_root)
    return any(
        (data_set.draws_itself and split in data_set.splits(kind))
        or any(_path(data_root, name).is_file() for name in data_set.tables(kind, split).all)
        for data_set in _sets_of_kind(settings, kind)
    )


def tables_lie_there(settings: Settings, kind: str, split: Split) -> bool:
    """Whether a table of this split is on the disk already: nothing is drawn, and unknown data sets have none."""
    known = data_sets()
    data_root = Path(settings.data_root)
    return any(
        _path(data_root, table).is_file()
        for name in settings.datasets
        for table in (known.get(name) or CaptionTables(name)).tables(kind, split).all
    )


def _sets_of_kind(settings: Settings, kind: str) -> list[DataSet]:
    """The settings' data sets that have this kind; names that no file of `sets` has are caption tables."""
    known = data_sets()
    chosen = []
    for name in settings.datasets:
        data_set = known.get(name) or CaptionTables(name)
        if data_set.name not in known:
            _check_tables_exist(data_set, Path(settings.data_root))
        if kind in data_set.kinds:
            chosen.append(data_set)
    if not chosen:
        able = [name for name, data_set in known.items() if kind in data_set.kinds]
        raise UserError(
            f"datasets={list(settings.datasets)} has no examples of kind {kind}; data sets with such examples: "
            f"{', '.join(able)}."
        )
    return chosen


def _check_tables_exist(data_set: DataSet, data_root: Path) -> None:
    splits: tuple[Split, ...] = ("train", "val", "test")
    if any(_path(data_root, name).is_file() for split in splits for name in data_set.tables("caption", split).all):
        return
    on_disk = {path.name.rsplit("_", 1)[0] for path in data_root.glob("*_train.arrow")}
    near = get_close_matches(data_set.name, sorted({*data_sets(), *on_disk} - {"folder"}), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UserError(
        f"datasets names {data_set.name!r}, which is neither a known data set ({', '.join(sorted(data_sets()))}) nor a "
        f"family of tables under {data_root} ({data_set.name}_train.arrow is not there).{hint}"
    )


def _draw_if_missing(data_set: DataSet, settings: Settings, kind: str) -> None:
    """Draw the tables of a kind, every split of it, for a data set that needs no raw files."""
    if not data_set.draws_itself:
        return
    wanted = [name for split in data_set.splits(kind) for name in data_set.tables(kind, split).all]
    data_root = Path(settings.data_root)
    if any(not _path(data_root, name).is_file() for name in wanted):
        # In this process: PyTorch is at work here, and drawing takes seconds.
        prepare_data_set(data_set, settings, processes=1, kinds=(kind,))


def _missing_message(data_set: DataSet, data_root: Path, missing: list[str]) -> str:
    there = sorted(path.name for path in data_root.glob("*.arrow")) if data_root.is_dir() else []
    found = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
    files = ", ".join(f"{name}.arrow" for name in missing)
    verb = "is" if len(missing) == 1 else "are"
    command = f"python run.py prepare with dataset={data_set.name} raw_root=<its raw files> data_root={data_root}"
    return (
        f"The data set {data_set.name!r} is not complete under {data_root}: {files} {verb} missing. Write it "
        f"with `{command}`, or set data_root to the folder of your tables, or datasets to the sets you have. "
        f"Tables there now: {found or 'none'}."
    )


def _path(data_root: Path, table: str) -> Path:
    return data_root / f"{table}.arrow"
