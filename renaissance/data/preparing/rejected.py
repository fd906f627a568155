"""What cannot be used of raw files: listed with its reason, and too much of it an error.

A list `<table>.rejected.csv` lies beside each table that something was left out of, with the columns source and reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from renaissance.atomic_files import write_csv
from renaissance.data.sets.interface import PrepareOptions
from renaissance.errors import UserError

Listed = tuple[str, str]  # raw file (and line), reason


class Rejected(ValueError):
    """A row that cannot be made or a line that cannot be read; the message says why."""


def list_of(table: str, options: PrepareOptions) -> Path:
    """Where the rejected rows of a table are listed."""
    return options.data_root / f"{table}.rejected.csv"


def list_rejected(table: str, rejected: Sequence[Listed], options: PrepareOptions) -> None:
    """Write the list, or remove that of an earlier run when nothing was rejected."""
    if rejected:
        write_csv(list_of(table, options), ("source", "reason"), rejected)
    else:
        list_of(table, options).unlink(missing_ok=True)


def check_rejected(what: str, rejected: Sequence[Listed], rows: int, table: str, options: PrepareOptions) -> None:
    """Refuse what has more rejected rows than `max_rejected_fraction` allows.

    Args:
        what: the table or file, for the message.
        rejected: of its rows, those that cannot be used.
        rows: all of them.
        table: whose list names them.
        options: the settings of `prepare`.

    Raises:
        UserError: they are too many.
    """
    if len(rejected) <= options.max_rejected_fraction * rows:
        return
    source, reason = rejected[0]
    first = source.removeprefix(f"{what}, ")
    raise UserError(
        f"{what}: {len(rejected)} of {rows} rows cannot be used, more than max_rejected_fraction="
        f"{options.max_rejected_fraction:g} allows; the first is {first} ({reason}). All are listed in "
        f"{list_of(table, options)}. Mend them and run this again (what is done is kept), or raise "
        "max_rejected_fraction."
    )
