"""Writes tables from raw files: on all cores, to be continued after a break, and never half.

In: table plans, that is a schema, rows as plain references to raw files, and a function that turns one into a row.
Out: complete Arrow files and a report of each. A table is written in parts of ROWS_A_PART rows into a hidden
folder beside it; a run that was killed leaves parts, and the next one goes on from them. When all parts are there
they become one file under a temporary name, which is then renamed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from tqdm import tqdm

from renaissance.data.preparing.rejected import Listed, Rejected, check_rejected, list_of, list_rejected
from renaissance.data.sets.interface import PrepareOptions, TableReport
from renaissance.data.tables.parameters import differences, parameters_of, with_parameters
from renaissance.data.tables.table import ColumnKind, Table, is_complete
from renaissance.data.tables.writer import TableWriter, read_batches
from renaissance.errors import UserError
from renaissance.processes import map_in_order

ROWS_A_PART = 256
_FORMAT = 1  # to be raised when the same rows would be written otherwise


class RawRow(Protocol):
    """A reference to what a row is made of: small, picklable, its `repr` telling all of it."""

    @property
    def source(self) -> str:
        """The raw file, for the list of rejected rows."""


@dataclass(frozen=True)
class TablePlan:
    """A table to be written.

    Attributes:
        name: its name, without `.arrow`.
        schema: its columns.
        rows: what its rows are made of, in order; taken as needed.
        total: how many rows there are, for the progress bar; None when that is not known.
        make_row: a function of a module that turns a raw row into a value a column, or raises Rejected.
        text_column: the column whose texts the report counts; None where there is none.
        rejected: what was left out before, when the raw files were read; listed with the rows that are rejected.
    """

    name: str
    schema: pa.Schema
    rows: Iterable[RawRow]
    total: int | None
    make_row: Callable[[Any], dict[str, object]]
    text_column: str | None = None
    rejected: Sequence[Listed] = ()


@dataclass(frozen=True)
class _Part:
    folder: Path
    number: int
    schema: pa.Schema
    make_row: Callable[[Any], dict[str, object]]
    rows: list[RawRow]


@dataclass(frozen=True)
class _PartResult:
    path: Path
    rows: int
    rejected: list[Listed]


def write_tables(
    plans: Sequence[TablePlan], options: PrepareOptions, parameters: Mapping[str, object]
) -> list[TableReport]:
    """Write the tables of a data set. What is there already and complete is kept.

    Args:
        plans: its tables.
        options: the settings of `prepare`.
        parameters: what decided which rows each split has (a seed, a fraction). Kept in the files, so that a
            table that is missing is never added beside tables of another division.

    Raises:
        UserError: too many rows were rejected; the folder cannot be written; tables of another division are there.
    """
    wanted = {name: json.loads(json.dumps(value)) for name, value in parameters.items()}
    if "val_fraction" not in wanted and options.val_fraction != PrepareOptions.val_fraction:
        print(
            f"val_fraction={options.val_fraction:g} is not used: the data set divides itself, or is for training only"
        )
    try:
        options.data_root.mkdir(parents=True, exist_ok=True)
        kept = {plan.name: _kept_report(plan, options) for plan in plans}
        _check_parameters([plan.name for plan in plans if kept[plan.name]], plans, options.data_root, wanted)
        return [kept[plan.name] or _write_table(plan, options, wanted) for plan in plans]
    except OSError as error:
        raise UserError(f"Writing tables under {options.data_root} stopped: {error}. What is done is kept.") from error


def _write_table(plan: TablePlan, options: PrepareOptions, parameters: Mapping[str, object]) -> TableReport:
    """Write the parts, list what was rejected, join the parts."""
    schema = with_parameters(plan.schema, parameters)
    folder = _parts_folder(plan, options.data_root)
    folder.mkdir(exist_ok=True)
    paths: list[Path] = []
    rejected: list[Listed] = []
    planned = 0
    parts = _parts(plan, folder, schema)
    with tqdm(total=plan.total, desc=plan.name, unit=" rows", disable=None, leave=False) as bar:
        for result in map_in_order(_write_part, parts, options.processes):
            paths.append(result.path)
            planned += result.rows
            rejected += result.rejected
            bar.update(result.rows)
    listed = [*plan.rejected, *rejected]
    list_rejected(plan.name, listed, options)
    check_rejected(plan.name, rejected, planned, plan.name, options)
    if len(rejected) == planned:
        shutil.rmtree(folder)
        raise UserError(f"{plan.name}: there is no row to write. Are the raw files under {options.raw_root} complete?")
    path = options.data_root / f"{plan.name}.arrow"
    _join(paths, path, schema)
    shutil.rmtree(folder)
    return _report(path, plan.text_column, len(listed), kept=False)


def _parts_folder(plan: TablePlan, data_root: Path) -> Path:
    return data_root / f".{plan.name}.parts"


def _parts(plan: TablePlan, folder: Path, schema: pa.Schema) -> Iterator[_Part]:
    rows = iter(plan.rows)
    number = 0
    while chunk := list(islice(rows, ROWS_A_PART)):
        yield _Part(folder, number, schema, plan.make_row, chunk)
        number += 1


def _write_part(part: _Part) -> _PartResult:
    """Write a part, unless an earlier run has.

    The file's name says what it was made of. A part with rejected rows gets a name that is not looked for: it is
    made again in the next run, since its raw files may have been mended by then.
    """
    path = part.folder / f"{part.number:06d}-{_fingerprint(part)}.arrow"
    if path.is_file():
        return _PartResult(path, len(part.rows), [])
    rejected: list[Listed] = []
    with TableWriter(path, part.schema) as writer:
        for row in part.rows:
            try:
                writer.add(part.make_row(row))
            except Rejected as error:
                rejected.append((row.source, str(error)))
        if rejected:
            writer.path = part.folder / f"{part.number:06d}-with-rejections.arrow"
    return _PartResult(writer.path, len(part.rows), rejected)


def _fingerprint(part: _Part) -> str:
    """Of the rows and of how they are written."""
    made_by = f"{part.make_row.__module__}.{part.make_row.__qualname__}"
    return hashlib.blake2b(repr((_FORMAT, made_by, str(part.schema), part.rows)).encode(), digest_size=12).hexdigest()


def _join(parts: Sequence[Path], path: Path, schema: pa.Schema) -> None:
    with TableWriter(path, schema) as writer:
        for part in tqdm(parts, desc=f"{path.stem}: joining", unit=" parts", disable=None, leave=False, delay=1):
            for batch in read_batches(part):
                writer.add_batch(batch)


def _kept_report(plan: TablePlan, options: PrepareOptions) -> TableReport | None:
    """The report of a table that is there and complete; None where it has to be written."""
    path = options.data_root / f"{plan.name}.arrow"
    if not path.is_file():
        return None
    listed = list_of(plan.name, options)
    rejected = 0
    if listed.is_file():
        with open(listed, newline="", encoding="utf-8") as file:
            rejected = sum(1 for _ in csv.reader(file)) - 1
    if not is_complete(path):
        print(f"{path} is not complete: it is written again")
        return None
    shutil.rmtree(_parts_folder(plan, options.data_root), ignore_errors=True)  # of a run killed at its end
    return _report(path, plan.text_column, rejected, kept=True)


def _report(path: Path, text_column: str | None, rejected: int, kept: bool) -> TableReport:
    wanted: dict[str, ColumnKind] = {} if text_column is None else {text_column: "text"}
    table = Table(path, wanted)
    texts = 0 if text_column is None else len(table.texts(text_column))
    return TableReport(path.stem, table.rows, texts, rejected, kept)


def _check_parameters(
    kept: Sequence[str], plans: Sequence[TablePlan], data_root: Path, wanted: Mapping[str, object]
) -> None:
    """Refuse to write some tables of a division beside kept tables of another; say it where all are kept."""
    for name in kept:
        path = data_root / f"{name}.arrow"
        found = parameters_of(path)
        if found is None or found == wanted:
            continue
        otherwise = differences(found, wanted)
        if len(kept) == len(plans):
            print(f"The tables there were written with {otherwise} and are kept; delete them to write them anew.")
            return
        raise UserError(
            f"{path} is there already, but was written with {otherwise}: tables written now would not fit it "
            "(an example could be in two splits). Use the same settings, or delete it to write all anew."
        )
