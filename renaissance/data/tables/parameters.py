"""What decided which rows a table has, kept in its metadata, and how that differs from what is asked for now."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from renaissance.data.tables.table import Table
from renaissance.settings.marked import settings_marked
from renaissance.settings.marks import Mark
from renaissance.settings.schema import TableSettings

_KEY = b"renaissance_parameters"


def with_parameters(schema: pa.Schema, parameters: Mapping[str, object]) -> pa.Schema:
    """The schema with what decides on a table's rows in its metadata."""
    return schema.with_metadata({**(schema.metadata or {}), _KEY: json.dumps(parameters).encode()})


def parameters_of(path: Path) -> dict[str, Any] | None:
    """What decided on the rows of a table; None where it does not say (those of ViLT's scripts do not)."""
    try:
        found = json.loads(Table(path, {}).metadata.get(_KEY, b"null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Where the two differ, in words such as "val_fraction=0.1 (asked for: 0.3)"; empty where they do not."""
    return ", ".join(
        f"{name}={found.get(name)} (asked for: {wanted.get(name)})"
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    )


def remarks_on_tables(paths: Collection[Path], settings: TableSettings, chosen: Collection[str]) -> Iterator[str]:
    """A line for each setting that a user chose and that the tables of a run were not written with.

    Args:
        paths: the tables.
        settings: the run's.
        chosen: the names of the settings that the user set, as opposed to defaults.
    """
    for name in settings_marked(Mark.DECIDES_ON_TABLES):
        wanted = {name: getattr(settings, name)} if name in chosen else {}
        for path in paths:
            found = {key: value for key, value in (parameters_of(path) or {}).items() if key in wanted}
            if found and found != wanted:
                yield (
                    f"{path} was written with {differences(found, wanted)} and is used as it is: {name} decides when "
                    "tables are prepared. To change it, delete the tables and prepare them again."
                )
                break
