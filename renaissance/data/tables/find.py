"""From the names in `datasets` to the files of their tables; the sample set is drawn when it is not there yet."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.data.preparing.prepare import prepare_data_set
from renaissance.data.sets import data_sets
from renaissance.data.sets.folder import CaptionTables
from renaissance.data.sets.interface import DataSet
from renaissance.errors import UserError
from renaissance.settings.schema import TableSettings


def find_tables(settings: TableSettings, schema: str, split: str) -> list[Path]:
    """The files of a split, in the order of `datasets`.

    Raises:
        UserError: no data set has this schema or split, or a file is missing.
    """
    data_root = Path(settings.data_root)
    chosen = _sets_with(settings, schema)
    paths: list[Path] = []
    for data_set in chosen:
        _draw_if_missing(data_set, settings, schema)
        names = data_set.tables(schema, split)
        missing = [name for name in names.required if not _path(data_root, name).is_file()]
        there = [_path(data_root, name) for name in names.all if _path(data_root, name).is_file()]
        if missing or (names.all and not there and split == TRAIN):
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
            f"There is no {split} table of {schema} examples under {data_root} for datasets={names_chosen}. "
            "Write one with `python run.py prepare with dataset=…`, or name a data set that has this split."
        )
    return paths


def splits_there(settings: TableSettings, schema: str) -> list[str]:
    """The splits that some data set has tables of: "train", "val", then those to evaluate on, by name."""
    data_root = Path(settings.data_root)
    found: dict[str, None] = {}
    for data_set in _sets_with(settings, schema):
        for split in data_set.splits(schema, data_root):
            tables = data_set.tables(schema, split).all
            if tables and (data_set.draws_itself or any(_path(data_root, name).is_file() for name in tables)):
                found[split] = None
    return sorted(found, key=lambda split: (split != TRAIN, split != VAL))


def tables_lie_there(settings: TableSettings, schema: str) -> bool:
    """Whether a table to evaluate on is on the disk already: nothing is drawn, and unknown data sets have none."""
    known = data_sets()
    data_root = Path(settings.data_root)
    chosen = [known.get(name) or CaptionTables(name) for name in settings.datasets]
    chosen = [data_set for data_set in chosen if schema in data_set.schemas]
    return any(
        _path(data_root, table).is_file()
        for data_set in chosen
        for split in data_set.splits(schema, data_root)
        if split != TRAIN
        for table in data_set.tables(schema, split).all
    )


def sets_without(settings: TableSettings, schemas: Collection[str]) -> list[str]:
    """The data sets of the settings that have examples of none of these schemas, so that nothing is read of them."""
    known = data_sets()
    chosen = {name: known.get(name) or CaptionTables(name) for name in settings.datasets}
    return [name for name, data_set in chosen.items() if not set(schemas) & set(data_set.schemas)]


def _sets_with(settings: TableSettings, schema: str) -> list[DataSet]:
    """The settings' data sets with examples of this schema; names that no file of `sets` has are caption tables."""
    known = data_sets()
    chosen = []
    for name in settings.datasets:
        data_set = known.get(name) or CaptionTables(name)
        if data_set.name not in known:
            _check_tables_exist(data_set, Path(settings.data_root), schema)
        if schema in data_set.schemas:
            chosen.append(data_set)
    if not chosen:
        raise UserError(
            f"datasets={list(settings.datasets)} has no {schema} examples; data sets with such examples: "
            f"{', '.join(_names_with(schema)) or 'none (a data set names its schemas in `schemas`)'}."
        )
    return chosen


def _names_with(schema: str) -> list[str]:
    """The data sets that there are with examples of a schema."""
    return [name for name, data_set in data_sets().items() if schema in data_set.schemas]


def _check_tables_exist(data_set: DataSet, data_root: Path, schema: str) -> None:
    splits = data_set.splits("caption", data_root)
    if any(_path(data_root, name).is_file() for split in splits for name in data_set.tables("caption", split).all):
        return
    if schema not in data_set.schemas:  # tables of this name would be of captions, and of no use here
        raise UserError(
            f"datasets names {data_set.name!r}, and there is no such data set; data sets with {schema} examples: "
            f"{', '.join(_names_with(schema))}. Others can be added by a plug-in (docs/extending.md)."
        )
    on_disk = {path.name.rsplit("_", 1)[0] for path in data_root.glob("*_train.arrow")}
    near = get_close_matches(data_set.name, sorted({*data_sets(), *on_disk} - {"folder"}), n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise UserError(
        f"datasets names {data_set.name!r}, which is neither a known data set ({', '.join(sorted(data_sets()))}) nor a "
        f"family of tables under {data_root} ({data_set.name}_train.arrow is not there).{hint}"
    )


def _draw_if_missing(data_set: DataSet, settings: TableSettings, schema: str) -> None:
    """Draw the tables of a schema, every split of it, for a data set that needs no raw files."""
    if not data_set.draws_itself:
        return
    data_root = Path(settings.data_root)
    splits = data_set.splits(schema, data_root)
    wanted = [name for split in splits for name in data_set.tables(schema, split).all]
    if any(not _path(data_root, name).is_file() for name in wanted):
        # In this process: PyTorch is at work here, and drawing takes seconds.
        prepare_data_set(data_set, settings, processes=1, schemas=(schema,))


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
