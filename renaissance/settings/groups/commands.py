"""What only one command reads, or writes tables by."""

from __future__ import annotations

from typing import Annotated

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import DecidesOnTables, OnlyReadBy
from renaissance.settings.on_resume import NoEffect


class PrepareSettings(SettingsGroup):
    """What `prepare` reads, and which tables it writes."""

    dataset: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    raw_root: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("prepare")]
    dataset_name: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    val_fraction: DecidesOnTables[NoEffect[value_types.Share]]
    max_rejected_fraction: Annotated[NoEffect[value_types.Tolerance], OnlyReadBy("prepare")]
    num_scenes: DecidesOnTables[NoEffect[value_types.Count]]


class CompareSettings(SettingsGroup):
    """Which runs `compare` sets side by side, and where."""

    runs: Annotated[NoEffect[value_types.OptionalFolders], OnlyReadBy("compare")]
    compare_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("compare")]


class ExportSettings(SettingsGroup):
    """Where `export` writes."""

    export_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("export")]
