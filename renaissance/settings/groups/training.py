"""How training goes: batches, the optimiser, its length."""

from __future__ import annotations

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.on_resume import Changes, Fixed


class BatchSettings(SettingsGroup):
    """How many examples are taken at once."""

    batch_size: Fixed[value_types.Count]
    per_gpu_batchsize: Fixed[value_types.Count]
    eval_batch_size: Changes[value_types.Count]


class OptimizerSettings(SettingsGroup):
    """How weights are changed."""

    optim_type: Fixed[value_types.Optimizer]
    learning_rate: Changes[value_types.Positive]
    weight_decay: Changes[value_types.NotNegative]
    adam_betas: Changes[value_types.Betas]
    adam_epsilon: Changes[value_types.Positive]
    momentum: Changes[value_types.Rate]
    lion_betas: Changes[value_types.Betas]
    muon_momentum: Changes[value_types.Rate]
    decay_power: Changes[value_types.Decay]
    end_lr: Changes[value_types.NotNegative]
    warmup_steps: Changes[value_types.WarmUp]
    lr_mult_head: Changes[value_types.Positive]
    lr_mult_cross_modal: Changes[value_types.Positive]
    gradient_clip_val: Changes[value_types.OptionalPositive]
    max_skipped_steps: Changes[value_types.CountOrZero]


class LengthSettings(SettingsGroup):
    """How long a training is, when it is validated, and when it ends early."""

    max_epoch: Changes[value_types.OptionalCount]
    max_steps: Changes[value_types.OptionalCount]
    resume_schedule: Changes[value_types.ResumeSchedule]
    val_check_interval: Changes[value_types.Interval]
    monitor: Fixed[value_types.Metric]
    early_stopping_patience: Changes[value_types.OptionalCount]
    early_stopping_min_delta: Changes[value_types.NotNegative]
