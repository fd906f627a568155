"""The command `prepare`: raw files to Arrow tables.

In: settings (`dataset`, `raw_root`, `data_root`, …). Out: the tables, a table of their counts on standard output.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from renaissance.data.sets import data_sets
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableReport
from renaissance.errors import UserError
from renaissance.locks import held
from renaissance.processes import usable_cores
from renaissance.settings.schema import TableSettings
from renaissance.text_table import text_table


def prepare(settings: TableSettings) -> list[TableReport]:
    """Write the tables of `settings.dataset` and print their counts.

    Raises:
        UserError: there is no such data set, it reads no columns and some are named, its raw files are not where they
            should be, or too many are damaged.
    """
    known = data_sets()
    if settings.dataset not in known:
        near = get_close_matches(settings.dataset or "", known, n=1)
        raise UserError(
            f"dataset={settings.dataset!r} is no data set{f': did you mean {near[0]}?' if near else '.'} "
            f"Data sets: {', '.join(sorted(known))}. Any folder of images with captions: dataset=folder dataset_name=…"
        )
    for name in ("image_column", "caption_columns"):
        if getattr(settings, name) is not None and not known[settings.dataset].reads_named_columns:
            reading = ", ".join(sorted(each for each, data_set in known.items() if data_set.reads_named_columns))
            raise UserError(
                f"{name}={getattr(settings, name)!r} is not read by dataset={settings.dataset}, whose files have "
                f"columns of their own. Leave it out; these read it: {reading}."
            )
    reports = prepare_data_set(known[settings.dataset], settings, usable_cores())
    for report in reports:
        if report.rejected:
            print(f"What was rejected, and why, is listed in {settings.data_root}/{report.table}.rejected.csv")
    print(format_reports(reports))
    return reports


def prepare_data_set(
    data_set: DataSet, settings: TableSettings, processes: int, schemas: tuple[str, ...] | None = None
) -> list[TableReport]:
    """Write the tables of a data set; a second process that wants the same set waits.

    Args:
        data_set: the data set.
        settings: those of `prepare`.
        processes: how many processes write.
        schemas: the schemas whose tables are written, for a set that draws itself; None for all.

    Raises:
        UserError: its raw files are not where they should be, or the tables cannot be written.
    """
    options = PrepareOptions(
        raw_root=None if settings.raw_root is None else Path(settings.raw_root),
        data_root=Path(settings.data_root),
        dataset_name=settings.dataset_name,
        val_fraction=settings.val_fraction,
        max_rejected_fraction=settings.max_rejected_fraction,
        seed=settings.seed,
        num_scenes=settings.num_scenes,
        processes=processes,
        schemas=schemas,
        image_column=settings.image_column,
        caption_columns=None if settings.caption_columns is None else tuple(settings.caption_columns),
    )
    lock = options.data_root / f".{data_set.name}.lock"

    def waiting() -> None:
        print(f"Another process is at work here (it holds {lock}); waiting for it to end …", flush=True)

    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with held(lock, waiting):
            return data_set.prepare(options)
    except OSError as error:
        raise UserError(f"Preparing {data_set.name} into {options.data_root} stopped: {error}.") from error


def format_reports(reports: Sequence[TableReport]) -> str:
    """The counts as a small table."""
    header = ("table", "rows", "texts", "rejected", "")
    rows = [
        (
            report.table,
            report.rows,
            report.texts or None,
            report.rejected,
            "kept, was there already" if report.kept else "",
        )
        for report in reports
    ]
    return text_table(header, rows)
