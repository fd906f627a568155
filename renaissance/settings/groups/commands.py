"""What only commands read, or write tables by."""

from __future__ import annotations

from typing import Annotated

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import DecidesOnTables, OnlyReadBy
from renaissance.settings.on_resume import NoEffect


class DataSetSettings(SettingsGroup):
    """Which data set a command is about."""

    dataset: Annotated[
        NoEffect[value_types.OptionalText],
        OnlyReadBy("prepare"),
        OnlyReadBy("probe"),
        OnlyReadBy("search"),
        OnlyReadBy("serve"),
        OnlyReadBy("zeroshot"),
    ]


class PrepareSettings(SettingsGroup):
    """What `prepare` reads, and which tables it writes."""

    raw_root: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("prepare")]
    dataset_name: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    image_column: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    caption_columns: Annotated[NoEffect[value_types.OptionalNames], OnlyReadBy("prepare")]
    val_fraction: DecidesOnTables[NoEffect[value_types.Share]]
    num_scenes: DecidesOnTables[NoEffect[value_types.Count]]


class ChosenRunsSettings(SettingsGroup):
    """Which runs a command is about."""

    runs: Annotated[
        NoEffect[value_types.OptionalFolders],
        OnlyReadBy("compare"),
        OnlyReadBy("plot"),
        OnlyReadBy("report"),
        OnlyReadBy("runs"),
        OnlyReadBy("sync"),
    ]


class RunsSettings(SettingsGroup):
    """What `runs` lists, and how."""

    where: Annotated[NoEffect[value_types.OptionalCondition], OnlyReadBy("runs")]
    sort_by: Annotated[NoEffect[value_types.OptionalSorting], OnlyReadBy("runs")]
    limit: Annotated[NoEffect[value_types.OptionalCount], OnlyReadBy("runs")]
    runs_format: Annotated[NoEffect[value_types.RunsFormat], OnlyReadBy("runs")]


class CompareSettings(SettingsGroup):
    """Where `compare` writes."""

    compare_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("compare")]


class PlotSettings(SettingsGroup):
    """Where `plot` draws runs again."""

    plot_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("plot")]


class ReportSettings(SettingsGroup):
    """Where `report` writes."""

    report_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("report")]


class DashboardSettings(SettingsGroup):
    """Where `dashboard` listens."""

    dashboard_host: Annotated[NoEffect[value_types.Address], OnlyReadBy("dashboard")]
    dashboard_port: Annotated[NoEffect[value_types.Port], OnlyReadBy("dashboard")]


class ExportSettings(SettingsGroup):
    """Where `export` writes, and in which form."""

    export_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("export")]
    export_format: Annotated[NoEffect[value_types.ExportFormat], OnlyReadBy("export")]


class RejectedSettings(SettingsGroup):
    """How much of their input `prepare` and `predict` may have to leave out."""

    max_rejected_fraction: Annotated[NoEffect[value_types.Tolerance], OnlyReadBy("prepare"), OnlyReadBy("predict")]


class PredictSettings(SettingsGroup):
    """What `predict` reads and writes."""

    input: Annotated[NoEffect[value_types.OptionalFile], OnlyReadBy("predict")]
    output: Annotated[NoEffect[value_types.OptionalFile], OnlyReadBy("predict")]
    task: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("predict")]
    columns: Annotated[NoEffect[value_types.OptionalColumns], OnlyReadBy("predict")]
    keep: Annotated[NoEffect[value_types.OptionalNames], OnlyReadBy("predict")]


class ProbeSettings(SettingsGroup):
    """What `probe` compares with."""

    probe_random: Annotated[NoEffect[value_types.Switch], OnlyReadBy("probe")]


class ZeroshotSettings(SettingsGroup):
    """What `zeroshot` calls the classes."""

    templates: Annotated[NoEffect[value_types.Templates], OnlyReadBy("zeroshot")]
    class_names: Annotated[NoEffect[value_types.ClassNames], OnlyReadBy("zeroshot")]


class SearchSettings(SettingsGroup):
    """What `search` looks for, and how much of it it shows."""

    query: Annotated[NoEffect[value_types.OptionalQuery], OnlyReadBy("search")]
    num_matches: Annotated[NoEffect[value_types.Count], OnlyReadBy("search")]


class SplitSettings(SettingsGroup):
    """Which split `search`, `serve` and `zeroshot` read."""

    split: Annotated[
        NoEffect[value_types.OptionalText], OnlyReadBy("search"), OnlyReadBy("serve"), OnlyReadBy("zeroshot")
    ]


class ServeSettings(SettingsGroup):
    """What `serve` offers, where it listens, and what it takes of a request."""

    serve_models: Annotated[NoEffect[value_types.ServedModels], OnlyReadBy("serve")]
    host: Annotated[NoEffect[value_types.Address], OnlyReadBy("serve")]
    port: Annotated[NoEffect[value_types.Port], OnlyReadBy("serve")]
    serve_hosts: Annotated[NoEffect[value_types.Lines], OnlyReadBy("serve")]
    serve_token: Annotated[NoEffect[value_types.Token], OnlyReadBy("serve")]
    serve_images: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("serve")]
    serve_processes: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
    serve_batch_size: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
    serve_wait: Annotated[NoEffect[value_types.NotNegative], OnlyReadBy("serve")]
    serve_queue: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
    serve_max_examples: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
    serve_max_body: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
    serve_max_pixels: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
    serve_max_text: Annotated[NoEffect[value_types.Count], OnlyReadBy("serve")]
