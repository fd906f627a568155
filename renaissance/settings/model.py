"""`Settings`: everything a run is told, typed, checked and frozen.

Comes in: the configuration that Sacred resolved, through `check_settings`. Goes out: attributes under the same
names as in `config.py`, which alone holds the defaults and says what each setting means.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from renaissance.settings import kinds


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
    exp_name: kinds.Name
    seed: kinds.Seed
    log_dir: kinds.Folder
    data_root: kinds.Folder
    datasets: kinds.Names
    loss_names: kinds.LossWeights
    load_path: kinds.CheckpointOrEmpty
    load_modules: kinds.Modules
    strict_loading: kinds.Switch
    resume_from: kinds.Resume
    test_only: kinds.Switch
    fast_dev_run: kinds.Switch
    tensorboard: kinds.Switch
    log_interval: kinds.Count
    # the machine
    num_gpus: kinds.Gpus
    num_nodes: kinds.Count
    num_workers: kinds.CountOrZero
    precision: kinds.Precision
    # batches
    batch_size: kinds.Count
    per_gpu_batchsize: kinds.Count
    eval_batch_size: kinds.Count
    # the one-tower model
    model_type: Annotated[
        Literal["two-tower", "one-tower", "late-fusion"], kinds.choice_words("two-tower", "one-tower", "late-fusion")
    ]
    encoder: kinds.Pretrained
    pooler_type: Annotated[Literal["double", "single"], kinds.choice_words("double", "single")]
    random_init_encoder: kinds.Switch
    encoder_manual_configuration: kinds.Switch
    hidden_size: kinds.Count
    num_heads: kinds.Count
    num_layers: kinds.Count
    mlp_ratio: kinds.Positive
    drop_rate: kinds.Rate
    embedding_size: kinds.Count
    freeze_encoder: kinds.Switch
    freeze_encoder_layers: kinds.CountOrZero
    # the two-tower model's image encoder
    image_encoder: kinds.Pretrained
    random_init_vision_encoder: kinds.Switch
    image_encoder_manual_configuration: kinds.Switch
    image_encoder_hidden_size: kinds.Count
    image_encoder_num_heads: kinds.Count
    image_encoder_num_layers: kinds.Count
    image_encoder_mlp_ratio: kinds.Positive
    image_encoder_drop_rate: kinds.Rate
    image_encoder_embedding_size: kinds.Count
    image_size: kinds.Count
    original_image_size: kinds.OptionalCount
    patch_size: kinds.OptionalCount
    image_only: kinds.Switch
    image_pooling: Annotated[Literal["cls", "mean", "max"], kinds.choice_words("cls", "mean", "max")]
    freeze_image_encoder: kinds.Switch
    freeze_image_encoder_layers: kinds.CountOrZero
    # the two-tower model's text encoder
    text_encoder: kinds.TextEncoders
    text_encoder_config: kinds.FlagsOfEach
    text_encoder_window_size: kinds.WindowOfEach
    random_init_text_encoder: kinds.SwitchOfEach
    text_encoder_manual_configuration: kinds.SwitchOfEach
    text_encoder_hidden_size: kinds.CountOfEach
    text_encoder_num_heads: kinds.CountOfEach
    text_encoder_num_layers: kinds.CountOfEach
    text_encoder_mlp_ratio: kinds.PositiveOfEach
    text_encoder_drop_rate: kinds.RateOfEach
    text_encoder_embedding_size: kinds.CountOfEach
    max_text_len: kinds.TextLength
    long_text: Annotated[
        Literal["from_start", "from_end", "uniform"], kinds.choice_words("from_start", "from_end", "uniform")
    ]
    text_pooling: Annotated[Literal["cls", "mean", "max"], kinds.choice_words("cls", "mean", "max")]
    vocab_size: kinds.OptionalCount
    tokenizer: kinds.OptionalPretrained
    vocab_file: kinds.OptionalFile
    tokenizer_type: Annotated[
        Literal["word", "wordpiece", "bpe", "character"], kinds.choice_words("word", "wordpiece", "bpe", "character")
    ]
    min_frequency: kinds.Count
    freeze_text_encoder: kinds.SwitchOfEach
    freeze_text_encoder_layers: kinds.CountOrZeroOfEach
    # the two-tower model's fuser
    cross_layer_hidden_size: kinds.Count
    num_cross_layers: kinds.Count
    num_cross_layer_heads: kinds.Count
    cross_layer_mlp_ratio: kinds.Positive
    cross_layer_drop_rate: kinds.Rate
    freeze_cross_modal: kinds.Switch
    # the text decoder
    decoder: kinds.OptionalPretrained
    random_init_decoder: kinds.Switch
    decoder_hidden_size: kinds.Count
    decoder_num_heads: kinds.Count
    decoder_num_layers: kinds.Count
    decoder_mlp_ratio: kinds.Positive
    decoder_drop_rate: kinds.Rate
    freeze_decoder: kinds.Switch
    # images
    train_transform_keys: kinds.TransformKeys
    val_transform_keys: kinds.TransformKeys
    randaugment_operations: kinds.Count
    randaugment_magnitude: kinds.Magnitude
    # tasks
    whole_word_masking: kinds.Switch
    mlm_prob: kinds.Probability
    draw_false_image: kinds.CountOrZero
    draw_false_text: kinds.CountOrZero
    itm_false_from: Annotated[Literal["batch", "dataset"], kinds.choice_words("batch", "dataset")]
    # regularisation
    mixing_alpha: kinds.NotNegative
    text_modality_dropout: kinds.Rate
    image_modality_dropout: kinds.Rate
    # captions
    caption_prefix_encoder: kinds.Switch
    label_smoothing: kinds.Rate
    caption_metric_images: kinds.CountOrZero
    generation_strategy: Annotated[Literal["greedy", "beam", "sample"], kinds.choice_words("greedy", "beam", "sample")]
    num_beams: kinds.Count
    top_k: kinds.OptionalCount
    top_p: kinds.Probability
    temperature: kinds.Positive
    repetition_penalty: kinds.Positive
    max_generated_tokens: kinds.OptionalCount
    sample_interval: kinds.OptionalCount
    num_samples: kinds.CountOrZero
    manual_inputs: kinds.ManualInputs
    # the optimiser
    optim_type: Annotated[Literal["adamw", "adam", "sgd"], kinds.choice_words("adamw", "adam", "sgd")]
    learning_rate: kinds.Positive
    weight_decay: kinds.NotNegative
    adam_betas: kinds.Betas
    adam_epsilon: kinds.Positive
    momentum: kinds.Rate
    decay_power: kinds.Decay
    end_lr: kinds.NotNegative
    warmup_steps: kinds.WarmUp
    lr_mult_head: kinds.Positive
    lr_mult_cross_modal: kinds.Positive
    gradient_clip_val: kinds.OptionalPositive
    # how long
    max_epoch: kinds.OptionalCount
    max_steps: kinds.OptionalCount
    val_check_interval: kinds.Interval
    early_stopping_patience: kinds.OptionalCount
    early_stopping_min_delta: kinds.NotNegative
    # the command `prepare`
    dataset: kinds.OptionalText
    raw_root: kinds.OptionalFolder
    dataset_name: kinds.OptionalText
    val_fraction: kinds.Share
    max_rejected_fraction: kinds.Tolerance
    num_scenes: kinds.Count
    # the command `compare`
    runs: kinds.OptionalFolders
    compare_dir: kinds.OptionalFolder
    # the command `export`
    export_dir: kinds.OptionalFolder

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
