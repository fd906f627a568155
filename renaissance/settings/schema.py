"""`Settings`: everything a run is told, typed, checked and frozen.

Comes in: the configuration that Sacred resolved, through `check_settings`. Goes out: attributes under the same
names as in `config.py`, which alone holds the defaults and says what each setting means. Around each type stands what
becomes of the setting when a run is resumed (`on_resume.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from renaissance.settings import value_types
from renaissance.settings.on_resume import Changes, Devices, Fixed, NoEffect, OfCommand


@dataclass(frozen=True)
class EncoderDimensions:
    """The dimensions of a transformer.

    Attributes:
        hidden_size: width D of the hidden states.
        num_heads: attention heads; divides `hidden_size`.
        num_layers: layers.
        mlp_ratio: width of the feed-forward layers over `hidden_size`.
        drop_rate: dropout probability on hidden states.
        embedding_size: width of the token embeddings before they are projected to D; None where there are none.
    """

    hidden_size: int
    num_heads: int
    num_layers: int
    mlp_ratio: float
    drop_rate: float
    embedding_size: int | None


class Settings(BaseModel):
    """A valid configuration. Make one with `check_settings`, which reports every fault at once."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # the experiment
    exp_name: OfCommand[value_types.Name]
    plugins: Changes[value_types.Plugins]
    seed: Fixed[value_types.Seed]
    eval_seed: Fixed[value_types.Seed]
    log_dir: OfCommand[value_types.Folder]
    data_root: NoEffect[value_types.Folder]
    datasets: Fixed[value_types.Names]
    loss_names: Fixed[value_types.LossWeights]
    step_shares: Fixed[value_types.Shares]
    load_path: Fixed[value_types.CheckpointOrEmpty]
    load_modules: Fixed[value_types.Modules]
    freeze_random: NoEffect[value_types.Switch]
    strict_loading: Fixed[value_types.Switch]
    resume_from: OfCommand[value_types.Resume]
    test_only: OfCommand[value_types.Switch]
    fast_dev_run: Fixed[value_types.Switch]
    tensorboard: NoEffect[value_types.Switch]
    log_interval: NoEffect[value_types.Count]
    # the machine
    num_gpus: Devices[value_types.Gpus]
    num_nodes: Devices[value_types.Count]
    num_workers: NoEffect[value_types.CountOrZero]
    precision: Changes[value_types.Precision]
    # batches
    batch_size: Fixed[value_types.Count]
    per_gpu_batchsize: Fixed[value_types.Count]
    eval_batch_size: Changes[value_types.Count]
    # the one-tower model
    model_type: Fixed[
        Annotated[
            Literal["two-tower", "one-tower", "late-fusion"],
            value_types.choice_words("two-tower", "one-tower", "late-fusion"),
        ]
    ]
    encoder: Fixed[value_types.Pretrained]
    pooler_type: Fixed[Annotated[Literal["double", "single"], value_types.choice_words("double", "single")]]
    random_init_encoder: Fixed[value_types.Switch]
    encoder_manual_configuration: Fixed[value_types.Switch]
    hidden_size: Fixed[value_types.Width]
    num_heads: Fixed[value_types.Count]
    num_layers: Fixed[value_types.Count]
    mlp_ratio: Fixed[value_types.Ratio]
    drop_rate: Fixed[value_types.Rate]
    embedding_size: Fixed[value_types.Width]
    freeze_encoder: Fixed[value_types.Switch]
    freeze_encoder_layers: Fixed[value_types.CountOrZero]
    # the two-tower model's image encoder
    image_encoder: Fixed[value_types.Pretrained]
    random_init_vision_encoder: Fixed[value_types.Switch]
    image_encoder_manual_configuration: Fixed[value_types.Switch]
    image_encoder_hidden_size: Fixed[value_types.Width]
    image_encoder_num_heads: Fixed[value_types.Count]
    image_encoder_num_layers: Fixed[value_types.Count]
    image_encoder_mlp_ratio: Fixed[value_types.Ratio]
    image_encoder_drop_rate: Fixed[value_types.Rate]
    image_encoder_embedding_size: Fixed[value_types.Width]
    image_size: Fixed[value_types.Count]
    original_image_size: Fixed[value_types.OptionalCount]
    patch_size: Fixed[value_types.OptionalCount]
    image_only: Fixed[value_types.Switch]
    image_pooling: Fixed[Annotated[Literal["cls", "mean", "max"], value_types.choice_words("cls", "mean", "max")]]
    freeze_image_encoder: Fixed[value_types.Switch]
    freeze_image_encoder_layers: Fixed[value_types.CountOrZero]
    # the two-tower model's text encoder
    text_encoder: Fixed[value_types.TextEncoders]
    text_encoder_config: Fixed[value_types.FlagsOfEach]
    text_encoder_window_size: Fixed[value_types.WindowOfEach]
    random_init_text_encoder: Fixed[value_types.SwitchOfEach]
    text_encoder_manual_configuration: Fixed[value_types.SwitchOfEach]
    text_encoder_hidden_size: Fixed[value_types.WidthOfEach]
    text_encoder_num_heads: Fixed[value_types.CountOfEach]
    text_encoder_num_layers: Fixed[value_types.CountOfEach]
    text_encoder_mlp_ratio: Fixed[value_types.RatioOfEach]
    text_encoder_drop_rate: Fixed[value_types.RateOfEach]
    text_encoder_embedding_size: Fixed[value_types.WidthOfEach]
    max_text_len: Fixed[value_types.TextLength]
    long_text: Fixed[
        Annotated[
            Literal["from_start", "from_end", "uniform"], value_types.choice_words("from_start", "from_end", "uniform")
        ]
    ]
    text_pooling: Fixed[Annotated[Literal["cls", "mean", "max"], value_types.choice_words("cls", "mean", "max")]]
    vocab_size: Fixed[value_types.OptionalCount]
    tokenizer: Fixed[value_types.OptionalPretrained]
    vocab_file: Fixed[value_types.OptionalFile]
    tokenizer_type: Fixed[
        Annotated[
            Literal["word", "wordpiece", "bpe", "character"],
            value_types.choice_words("word", "wordpiece", "bpe", "character"),
        ]
    ]
    min_frequency: Fixed[value_types.Count]
    freeze_text_encoder: Fixed[value_types.SwitchOfEach]
    freeze_text_encoder_layers: Fixed[value_types.CountOrZeroOfEach]
    # the two-tower model's fuser
    cross_layer_hidden_size: Fixed[value_types.Width]
    num_cross_layers: Fixed[value_types.Count]
    num_cross_layer_heads: Fixed[value_types.Count]
    cross_layer_mlp_ratio: Fixed[value_types.Ratio]
    cross_layer_drop_rate: Fixed[value_types.Rate]
    freeze_cross_modal: Fixed[value_types.Switch]
    # the text decoder
    decoder: Fixed[value_types.OptionalPretrained]
    random_init_decoder: Fixed[value_types.Switch]
    decoder_hidden_size: Fixed[value_types.Width]
    decoder_num_heads: Fixed[value_types.Count]
    decoder_num_layers: Fixed[value_types.Count]
    decoder_mlp_ratio: Fixed[value_types.Ratio]
    decoder_drop_rate: Fixed[value_types.Rate]
    freeze_decoder: Fixed[value_types.Switch]
    # images
    train_transform_keys: Fixed[value_types.TransformKeys]
    val_transform_keys: Fixed[value_types.TransformKeys]
    randaugment_operations: Fixed[value_types.Count]
    randaugment_magnitude: Fixed[value_types.Magnitude]
    # tasks
    whole_word_masking: Fixed[value_types.Switch]
    mlm_prob: Fixed[value_types.Probability]
    draw_false_image: Fixed[value_types.CountOrZero]
    draw_false_text: Fixed[value_types.CountOrZero]
    itm_false_from: Fixed[Annotated[Literal["batch", "dataset"], value_types.choice_words("batch", "dataset")]]
    # regularisation
    mixing_alpha: Fixed[value_types.NotNegative]
    text_modality_dropout: Fixed[value_types.Rate]
    image_modality_dropout: Fixed[value_types.Rate]
    # captions
    caption_prefix_encoder: Fixed[value_types.Switch]
    label_smoothing: Changes[value_types.Rate]
    caption_metric_images: Changes[value_types.CountOrZero]
    generation_strategy: Changes[
        Annotated[Literal["greedy", "beam", "sample"], value_types.choice_words("greedy", "beam", "sample")]
    ]
    num_beams: Changes[value_types.Count]
    top_k: Changes[value_types.OptionalCount]
    top_p: Changes[value_types.Probability]
    temperature: Changes[value_types.Positive]
    repetition_penalty: Changes[value_types.Positive]
    max_generated_tokens: Changes[value_types.OptionalCount]
    sample_interval: NoEffect[value_types.OptionalCount]
    num_samples: NoEffect[value_types.CountOrZero]
    manual_inputs: NoEffect[value_types.ManualInputs]
    # the optimiser
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
    # how long
    max_epoch: Changes[value_types.OptionalCount]
    max_steps: Changes[value_types.OptionalCount]
    resume_schedule: Changes[Annotated[Literal["new", "kept"], value_types.choice_words("new", "kept")]]
    val_check_interval: Changes[value_types.Interval]
    monitor: Fixed[value_types.Metric]
    early_stopping_patience: Changes[value_types.OptionalCount]
    early_stopping_min_delta: Changes[value_types.NotNegative]
    # the command `prepare`
    dataset: NoEffect[value_types.OptionalText]
    raw_root: NoEffect[value_types.OptionalFolder]
    dataset_name: NoEffect[value_types.OptionalText]
    val_fraction: NoEffect[value_types.Share]
    max_rejected_fraction: NoEffect[value_types.Tolerance]
    num_scenes: NoEffect[value_types.Count]
    # the command `compare`
    runs: NoEffect[value_types.OptionalFolders]
    compare_dir: NoEffect[value_types.OptionalFolder]
    # the command `export`
    export_dir: NoEffect[value_types.OptionalFolder]

    def active_tasks(self) -> list[str]:
        """The tasks with a weight above 0, in alphabetical order."""
        return sorted(name for name, weight in self.loss_names.items() if weight > 0)

    def encoder_dimensions(self) -> EncoderDimensions | None:
        """The one-tower encoder's manual dimensions; None where the encoder's own hold."""
        return self._dimensions("") if self.encoder_manual_configuration else None

    def image_encoder_dimensions(self) -> EncoderDimensions | None:
        """The image encoder's manual dimensions; None where the encoder's own hold."""
        return self._dimensions("image_encoder_") if self.image_encoder_manual_configuration else None

    def cross_layer_dimensions(self) -> EncoderDimensions:
        """The fuser's dimensions."""
        return EncoderDimensions(
            hidden_size=self.cross_layer_hidden_size,
            num_heads=self.num_cross_layer_heads,
            num_layers=self.num_cross_layers,
            mlp_ratio=self.cross_layer_mlp_ratio,
            drop_rate=self.cross_layer_drop_rate,
            embedding_size=None,
        )

    def decoder_dimensions(self) -> EncoderDimensions:
        """The dimensions of our own text decoder."""
        return EncoderDimensions(
            hidden_size=self.decoder_hidden_size,
            num_heads=self.decoder_num_heads,
            num_layers=self.decoder_num_layers,
            mlp_ratio=self.decoder_mlp_ratio,
            drop_rate=self.decoder_drop_rate,
            embedding_size=None,
        )

    def worker_processes(self) -> int:
        """`num_workers`, but not more than the cores that this process may use."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(self.num_workers, cores)

    def _dimensions(self, prefix: str) -> EncoderDimensions:
        names = EncoderDimensions.__dataclass_fields__
        return EncoderDimensions(**{name: getattr(self, prefix + name) for name in names})
