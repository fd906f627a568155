"""What an experiment is called, where it reads and writes, where its weights and its randomness start, its machine."""

from __future__ import annotations

import os

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.marks import Question
from renaissance.settings.on_resume import Changes, Devices, Fixed, NoEffect, OfCommand


class ExperimentSettings(SettingsGroup):
    """The experiment: its name, its folders, and what a run is to do."""

    exp_name: OfCommand[value_types.Name]
    plugins: Changes[value_types.Plugins]
    log_dir: OfCommand[value_types.Folder]
    resume_from: OfCommand[value_types.Resume]
    test_only: OfCommand[value_types.Switch]
    fast_dev_run: Fixed[value_types.Switch]
    tensorboard: NoEffect[value_types.Switch]
    wandb_project: NoEffect[value_types.OptionalText]
    wandb_offline: NoEffect[value_types.Switch]
    log_interval: NoEffect[value_types.Count]


class TrackingSettings(SettingsGroup):
    """Where else a run is recorded."""

    mongo_url: NoEffect[value_types.MongoAddress]
    mongo_wait: NoEffect[value_types.NotNegative]
    mongo_checkpoints: NoEffect[value_types.Switch]
    sql_url: NoEffect[value_types.SqlAddress]
    trackio_project: NoEffect[value_types.OptionalText]


class SeedSettings(SettingsGroup):
    """Where random choices start."""

    seed: Fixed[value_types.Seed]
    eval_seed: Question[Fixed[value_types.Seed]]


class DataSettings(SettingsGroup):
    """Which tables are read, from where, and how much of them."""

    data_root: NoEffect[value_types.Folder]
    datasets: Question[Fixed[value_types.Names]]
    dataset_weights: Fixed[value_types.DataSetWeights]
    caption_weights: Fixed[value_types.CaptionWeights]


class StartSettings(SettingsGroup):
    """The checkpoints that a model starts from."""

    load_path: Fixed[value_types.CheckpointOrEmpty]
    load_modules: Fixed[value_types.Modules]
    freeze_random: NoEffect[value_types.Switch]
    strict_loading: Fixed[value_types.Switch]


class MachineSettings(SettingsGroup):
    """What a run computes with."""

    num_gpus: Devices[value_types.Gpus]
    num_nodes: Devices[value_types.Count]
    num_workers: NoEffect[value_types.CountOrZero]
    precision: Changes[value_types.Precision]

    def worker_processes(self) -> int:
        """`num_workers`, but not more than the cores that this process may use."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(self.num_workers, cores)


class ManyDevicesSettings(SettingsGroup):
    """How many processes a run is, and how they share its work."""

    devices: Devices[value_types.OptionalCount]
    strategy: Changes[value_types.Strategy]
    fsdp_checkpoints: NoEffect[value_types.FsdpCheckpoints]
    peer_timeout: NoEffect[value_types.Positive]
