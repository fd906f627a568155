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

from renaissance.settings import kinds
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
    exp_name: OfCommand[kinds.Name]
    seed: Fixed[kinds.Seed]
    eval_seed: Fixed[kinds.Seed]
    log_dir: OfCommand[kinds.Folder]
    data_root: NoEffect[kinds.Folder]
    datasets: Fixed[kinds.Names]
    loss_names: Fixed[kinds.LossWeights]
    load_path: Fixed[kinds.CheckpointOrEmpty]
    load_modules: Fixed[kinds.Modules]
    freeze_random: NoEffect[kinds.Switch]
    strict_loading: Fixed[kinds.Switch]
    resume_from: OfCommand[kinds.Resume]
    test_only: OfCommand[kinds.Switch]
    fast_dev_run: Fixed[kinds.Switch]
    tensorboard: NoEffect[kinds.Switch]
    log_interval: NoEffect[kinds.Count]
    # the machine
    num_gpus: Devices[kinds.Gpus]
    num_nodes: Devices[kinds.Count]
    num_workers: NoEffect[kinds.CountOrZero]
    precision: Changes[kinds.Precision]
    # batches
    batch_size: Fixed[kinds.Count]
    per_gpu_batchsize: Fixed[kinds.Count]
    eval_batch_size: Changes[kinds.Count]
    # the one-tower model
    model_type: Fixed[
        Annotated[
            Literal["two-tower", "one-tower", "late-fusion"],
            kinds.choice_words("two-tower", "one-tower", "late-fusion"),
        ]
    ]
    encoder: Fixed[kinds.Pretrained]
    pooler_type: Fixed[Annotated[Literal["double", "single"], kinds.choice_words("double", "single")]]
    random_init_encoder: Fixed[kinds.Switch]
    encoder_manual_configuration: Fixed[kinds.Switch]
    hidden_size: Fixed[kinds.Width]
    num_heads: Fixed[kinds.Count]
    num_layers: Fixed[kinds.Count]
    mlp_ratio: Fixed[kinds.Ratio]
    drop_rate: Fixed[kinds.Rate]
    embedding_size: Fixed[kinds.Width]
    freeze_encoder: Fixed[kinds.Switch]
    freeze_encoder_layers: Fixed[kinds.CountOrZero]
    # the two-tower model's image encoder
    image_encoder: Fixed[kinds.Pretrained]
    random_init_vision_encoder: Fixed[kinds.Switch]
    image_encoder_manual_configuration: Fixed[kinds.Switch]
    image_encoder_hidden_size: Fixed[kinds.Width]
    image_encoder_num_heads: Fixed[kinds.Count]
    image_encoder_num_layers: Fixed[kinds.Count]
    image_encoder_mlp_ratio: Fixed[kinds.Ratio]
    image_encoder_drop_rate: Fixed[kinds.Rate]
    image_encoder_embedding_size: Fixed[kinds.Width]
    image_size: Fixed[kinds.Count]
    original_image_size: Fixed[kinds.OptionalCount]
    patch_size: Fixed[kinds.OptionalCount]
    image_only: Fixed[kinds.Switch]
    image_pooling: Fixed[Annotated[Literal["cls", "mean", "max"], kinds.choice_words("cls", "mean", "max")]]
    freeze_image_encoder: Fixed[kinds.Switch]
    freeze_image_encoder_layers: Fixed[kinds.CountOrZero]
    # the two-tower model's text encoder
    text_encoder: Fixed[kinds.TextEncoders]
    text_encoder_config: Fixed[kinds.FlagsOfEach]
    text_encoder_window_size: Fixed[kinds.WindowOfEach]
    random_init_text_encoder: Fixed[kinds.SwitchOfEach]
    text_encoder_manual_configuration: Fixed[kinds.SwitchOfEach]
    text_encoder_hidden_size: Fixed[kinds.WidthOfEach]
    text_encoder_num_heads: Fixed[kinds.CountOfEach]
    text_encoder_num_layers: Fixed[kinds.CountOfEach]
    text_encoder_mlp_ratio: Fixed[kinds.RatioOfEach]
    text_encoder_drop_rate: Fixed[kinds.RateOfEach]
    text_encoder_embedding_size: Fixed[kinds.WidthOfEach]
    max_text_len: Fixed[kinds.TextLength]
    long_text: Fixed[
        Annotated[Literal["from_start", "from_end", "uniform"], kinds.choice_words("from_start", "from_end", "uniform")]
    ]
    text_pooling: Fixed[Annotated[Literal["cls", "mean", "max"], kinds.choice_words("cls", "mean", "max")]]
    vocab_size: Fixed[kinds.OptionalCount]
    tokenizer: Fixed[kinds.OptionalPretrained]
    vocab_file: Fixed[kinds.OptionalFile]
    tokenizer_type: Fixed[
        Annotated[
            Literal["word", "wordpiece", "bpe", "character"],
            kinds.choice_words("word", "wordpiece", "bpe", "character"),
        ]
    ]
    min_frequency: Fixed[kinds.Count]
    freeze_text_encoder: Fixed[kinds.SwitchOfEach]
    freeze_text_encoder_layers: Fixed[kinds.CountOrZeroOfEach]
    # the two-tower model's fuser
    cross_layer_hidden_size: Fixed[kinds.Width]
    num_cross_layers: Fixed[kinds.Count]
    num_cross_layer_heads: Fixed[kinds.Count]
    cross_layer_mlp_ratio: Fixed[kinds.Ratio]
    cross_layer_drop_rate: Fixed[kinds.Rate]
    freeze_cross_modal: Fixed[kinds.Switch]
    # the text decoder
    decoder: Fixed[kinds.OptionalPretrained]
    random_init_decoder: Fixed[kinds.Switch]
    decoder_hidden_size: Fixed[kinds.Width]
    decoder_num_heads: Fixed[kinds.Count]
    decoder_num_layers: Fixed[kinds.Count]
    decoder_mlp_ratio: Fixed[kinds.Ratio]
    decoder_drop_rate: Fixed[kinds.Rate]
    freeze_decoder: Fixed[kinds.Switch]
    # images
    train_transform_keys: Fixed[kinds.TransformKeys]
    val_transform_keys: Fixed[kinds.TransformKeys]
    randaugment_operations: Fixed[kinds.Count]
    randaugment_magnitude: Fixed[kinds.Magnitude]
    # tasks
    whole_word_masking: Fixed[kinds.Switch]
    mlm_prob: Fixed[kinds.Probability]
    draw_false_image: Fixed[kinds.CountOrZero]
    draw_false_text: Fixed[kinds.CountOrZero]
    itm_false_from: Fixed[Annotated[Literal["batch", "dataset"], kinds.choice_words("batch", "dataset")]]
    # regularisation
    mixing_alpha: Fixed[kinds.NotNegative]
    text_modality_dropout: Fixed[kinds.Rate]
    image_modality_dropout: Fixed[kinds.Rate]
    # captions
    caption_prefix_encoder: Fixed[kinds.Switch]
    label_smoothing: Changes[kinds.Rate]
    caption_metric_images: Changes[kinds.CountOrZero]
    generation_strategy: Changes[
        Annotated[Literal["greedy", "beam", "sample"], kinds.choice_words("greedy", "beam", "sample")]
    ]
    num_beams: Changes[kinds.Count]
    top_k: Changes[kinds.OptionalCount]
    top_p: Changes[kinds.Probability]
    temperature: Changes[kinds.Positive]
    repetition_penalty: Changes[kinds.Positive]
    max_generated_tokens: Changes[kinds.OptionalCount]
    sample_interval: NoEffect[kinds.OptionalCount]
    num_samples: NoEffect[kinds.CountOrZero]
    manual_inputs: NoEffect[kinds.ManualInputs]
    # the optimiser
    optim_type: Fixed[Annotated[Literal["adamw", "adam", "sgd"], kinds.choice_words("adamw", "adam", "sgd")]]
    learning_rate: Changes[kinds.Positive]
    weight_decay: Changes[kinds.NotNegative]
    adam_betas: Changes[kinds.Betas]
    adam_epsilon: Changes[kinds.Positive]
    momentum: Changes[kinds.Rate]
    decay_power: Changes[kinds.Decay]
    end_lr: Changes[kinds.NotNegative]
    warmup_steps: Changes[kinds.WarmUp]
    lr_mult_head: Changes[kinds.Positive]
    lr_mult_cross_modal: Changes[kinds.Positive]
    gradient_clip_val: Changes[kinds.OptionalPositive]
    max_skipped_steps: Changes[kinds.CountOrZero]
    # how long
    max_epoch: Changes[kinds.OptionalCount]
    max_steps: Changes[kinds.OptionalCount]
    resume_schedule: Changes[Annotated[Literal["new", "kept"], kinds.choice_words("new", "kept")]]
    val_check_interval: Changes[kinds.Interval]
    monitor: Fixed[kinds.Metric]
    early_stopping_patience: Changes[kinds.OptionalCount]
    early_stopping_min_delta: Changes[kinds.NotNegative]
    # the command `prepare`
    dataset: NoEffect[kinds.OptionalText]
    raw_root: NoEffect[kinds.OptionalFolder]
    dataset_name: NoEffect[kinds.OptionalText]
    val_fraction: NoEffect[kinds.Share]
    max_rejected_fraction: NoEffect[kinds.Tolerance]
    num_scenes: NoEffect[kinds.Count]
    # the command `compare`
    runs: NoEffect[kinds.OptionalFolders]
    compare_dir: NoEffect[kinds.OptionalFolder]
    # the command `export`
    export_dir: NoEffect[kinds.OptionalFolder]

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
