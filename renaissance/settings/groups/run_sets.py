"""Several runs by one command, and where they are computed: seeds, sweeps, SLURM."""

from __future__ import annotations

from typing import Annotated

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import OnlyReadBy
from renaissance.settings.on_resume import OfCommand


class SeedSetSettings(SettingsGroup):
    """With which seeds a configuration is trained, and how many runs at once."""

    seeds: OfCommand[value_types.OptionalSeeds]
    runs_at_once: OfCommand[value_types.Count]


class SweepSettings(SettingsGroup):
    """What `sweep` varies, how it chooses, and what it gives up."""

    sweep: Annotated[OfCommand[value_types.SweptSettings], OnlyReadBy("sweep")]
    sweep_search: Annotated[OfCommand[value_types.SweepSearch], OnlyReadBy("sweep")]
    sweep_trials: Annotated[OfCommand[value_types.OptionalCount], OnlyReadBy("sweep")]
    sweep_seed: Annotated[OfCommand[value_types.Seed], OnlyReadBy("sweep")]
    sweep_pruning: Annotated[OfCommand[value_types.SweepPruning], OnlyReadBy("sweep")]


class SubmitSettings(SettingsGroup):
    """Where runs are computed, if not here, and what their jobs ask for."""

    submit: OfCommand[value_types.Submit]
    slurm_partition: OfCommand[value_types.OptionalText]
    slurm_minutes: OfCommand[value_types.Positive]
    slurm_gpus: OfCommand[value_types.OptionalCountOrZero]
    slurm_cpus: OfCommand[value_types.OptionalCount]
    slurm_memory_gb: OfCommand[value_types.OptionalPositive]
    slurm_signal_seconds: OfCommand[value_types.Count]
    slurm_requeues: OfCommand[value_types.CountOrZero]
    slurm_setup: OfCommand[value_types.Lines]
    slurm_parameters: OfCommand[value_types.JobParameters]
