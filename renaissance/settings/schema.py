"""`Settings`: everything a run is told, typed, checked and frozen.

Comes in: the configuration that Sacred resolved, through `check_settings`. Goes out: attributes under the same
names as in `config.py`, which alone holds the defaults and says what each setting means. Around each type stands what
becomes of the setting when a run is resumed (`on_resume.py`), and what else has to know of it (`marks.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from renaissance.settings import value_types
from renaissance.settings.marks import (
    DIMENSIONS,
    DecidesOnTables,
    FixedByWeights,
    FollowsWeights,
    OfPart,
    OfVocabulary,
    OnlyReadBy,
    Question,
    roles_in,
)
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
    embedding_size: int | None = None


class Settings(BaseModel):
    """A valid configuration. Make one with `check_settings`, which reports every fault at once."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # the experiment
    exp_name: OfCommand[value_types.Name]
    plugins: Changes[value_types.Plugins]
    seed: Fixed[value_types.Seed]
    eval_seed: Question[Fixed[value_types.Seed]]
    log_dir: OfCommand[value_types.Folder]
    data_root: NoEffect[value_types.Folder]
    datasets: Question[Fixed[value_types.Names]]
    dataset_weights: Fixed[value_types.Shares]
    caption_weights: Fixed[value_types.Shares]
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
    model_type: Fixed[value_types.ModelType]
    encoder: Annotated[Fixed[value_types.Pretrained], OfPart("encoder", "name")]
    pooler_type: Annotated[Fixed[value_types.PoolerType], FixedByWeights("pooler")]
    random_init_encoder: Annotated[Fixed[value_types.Switch], OfPart("encoder", "random")]
    encoder_manual_configuration: Annotated[Fixed[value_types.Switch], OfPart("encoder", "manual")]
    hidden_size: Annotated[Fixed[value_types.Width], OfPart("encoder", "hidden_size")]
    num_heads: Annotated[Fixed[value_types.Count], OfPart("encoder", "num_heads")]
    num_layers: Annotated[Fixed[value_types.Count], OfPart("encoder", "num_layers")]
    mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("encoder", "mlp_ratio")]
    drop_rate: Annotated[Fixed[value_types.Rate], OfPart("encoder", "drop_rate")]
    embedding_size: Annotated[Fixed[value_types.Width], OfPart("encoder", "embedding_size")]
    freeze_encoder: Annotated[Fixed[value_types.Switch], OfPart("encoder", "frozen")]
    freeze_encoder_layers: Annotated[Fixed[value_types.CountOrZero], OfPart("encoder", "frozen_layers")]
    # the two-tower model's image encoder
    image_encoder: Annotated[Fixed[value_types.Pretrained], OfPart("image_encoder", "name")]
    random_init_vision_encoder: Annotated[Fixed[value_types.Switch], OfPart("image_encoder", "random")]
    image_encoder_manual_configuration: Annotated[Fixed[value_types.Switch], OfPart("image_encoder", "manual")]
    image_encoder_hidden_size: Annotated[Fixed[value_types.Width], OfPart("image_encoder", "hidden_size")]
    image_encoder_num_heads: Annotated[Fixed[value_types.Count], OfPart("image_encoder", "num_heads")]
    image_encoder_num_layers: Annotated[Fixed[value_types.Count], OfPart("image_encoder", "num_layers")]
    image_encoder_mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("image_encoder", "mlp_ratio")]
    image_encoder_drop_rate: Annotated[Fixed[value_types.Rate], OfPart("image_encoder", "drop_rate")]
    image_encoder_embedding_size: Annotated[Fixed[value_types.Width], OfPart("image_encoder", "embedding_size")]
    image_size: Annotated[Fixed[value_types.Count], FollowsWeights("image_embeddings")]
    original_image_size: Fixed[value_types.OptionalCount]
    patch_size: Annotated[Fixed[value_types.OptionalCount], FixedByWeights("image_embeddings")]
    image_only: Fixed[value_types.Switch]
    image_pooling: Annotated[Fixed[value_types.Pooling], FollowsWeights("image_embeddings")]
    freeze_image_encoder: Annotated[Fixed[value_types.Switch], OfPart("image_encoder", "frozen")]
    freeze_image_encoder_layers: Annotated[Fixed[value_types.CountOrZero], OfPart("image_encoder", "frozen_layers")]
    # the two-tower model's text encoder
    text_encoder: Annotated[Fixed[value_types.TextEncoders], OfPart("text_encoder", "name")]
    text_encoder_config: Annotated[Fixed[value_types.FlagsOfEach], OfPart("text_encoder", "flags")]
    text_encoder_window_size: Annotated[Fixed[value_types.WindowOfEach], OfPart("text_encoder", "window")]
    random_init_text_encoder: Annotated[Fixed[value_types.SwitchOfEach], OfPart("text_encoder", "random")]
    text_encoder_manual_configuration: Annotated[Fixed[value_types.SwitchOfEach], OfPart("text_encoder", "manual")]
    text_encoder_hidden_size: Annotated[Fixed[value_types.WidthOfEach], OfPart("text_encoder", "hidden_size")]
    text_encoder_num_heads: Annotated[Fixed[value_types.CountOfEach], OfPart("text_encoder", "num_heads")]
    text_encoder_num_layers: Annotated[Fixed[value_types.CountOfEach], OfPart("text_encoder", "num_layers")]
    text_encoder_mlp_ratio: Annotated[Fixed[value_types.RatioOfEach], OfPart("text_encoder", "mlp_ratio")]
    text_encoder_drop_rate: Annotated[Fixed[value_types.RateOfEach], OfPart("text_encoder", "drop_rate")]
    text_encoder_embedding_size: Annotated[Fixed[value_types.WidthOfEach], OfPart("text_encoder", "embedding_size")]
    max_text_len: Annotated[Fixed[value_types.TextLength], FollowsWeights("text_embeddings"), FollowsWeights("decoder")]
    long_text: Annotated[Fixed[value_types.LongText], FollowsWeights("text_embeddings"), FollowsWeights("decoder")]
    text_pooling: Annotated[Fixed[value_types.Pooling], FollowsWeights("text_embeddings")]
    vocab_size: OfVocabulary[Fixed[value_types.OptionalCount]]
    tokenizer: OfVocabulary[Fixed[value_types.OptionalPretrained]]
    vocab_file: OfVocabulary[Fixed[value_types.OptionalFile]]
    tokenizer_type: OfVocabulary[Fixed[value_types.TokenizerType]]
    min_frequency: OfVocabulary[Fixed[value_types.Count]]
    freeze_text_encoder: Annotated[Fixed[value_types.SwitchOfEach], OfPart("text_encoder", "frozen")]
    freeze_text_encoder_layers: Annotated[Fixed[value_types.CountOrZeroOfEach], OfPart("text_encoder", "frozen_layers")]
    # the two-tower model's fuser
    cross_layer_hidden_size: Annotated[Fixed[value_types.Width], OfPart("fuser", "hidden_size")]
    num_cross_layers: Annotated[Fixed[value_types.Count], OfPart("fuser", "num_layers")]
    num_cross_layer_heads: Annotated[Fixed[value_types.Count], OfPart("fuser", "num_heads")]
    cross_layer_mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("fuser", "mlp_ratio")]
    cross_layer_drop_rate: Annotated[Fixed[value_types.Rate], OfPart("fuser", "drop_rate")]
    freeze_cross_modal: Annotated[Fixed[value_types.Switch], OfPart("fuser", "frozen")]
    # the text decoder
    decoder: Annotated[Fixed[value_types.OptionalPretrained], OfPart("decoder", "name")]
    random_init_decoder: Annotated[Fixed[value_types.Switch], OfPart("decoder", "random")]
    decoder_hidden_size: Annotated[Fixed[value_types.Width], OfPart("decoder", "hidden_size")]
    decoder_num_heads: Annotated[Fixed[value_types.Count], OfPart("decoder", "num_heads")]
    decoder_num_layers: Annotated[Fixed[value_types.Count], OfPart("decoder", "num_layers")]
    decoder_mlp_ratio: Annotated[Fixed[value_types.Ratio], OfPart("decoder", "mlp_ratio")]
    decoder_drop_rate: Annotated[Fixed[value_types.Rate], OfPart("decoder", "drop_rate")]
    freeze_decoder: Annotated[Fixed[value_types.Switch], OfPart("decoder", "frozen")]
    # images
    train_transform_keys: Fixed[value_types.TransformKeys]
    val_transform_keys: Question[Fixed[value_types.TransformKeys]]
    randaugment_operations: Fixed[value_types.Count]
    randaugment_magnitude: Fixed[value_types.Magnitude]
    # tasks
    whole_word_masking: Question[Fixed[value_types.Switch]]
    mlm_prob: Question[Fixed[value_types.Probability]]
    draw_false_image: Question[Fixed[value_types.CountOrZero]]
    draw_false_text: Question[Fixed[value_types.CountOrZero]]
    itm_false_from: Fixed[value_types.FalseFrom]
    # regularisation
    mixing_alpha: Fixed[value_types.NotNegative]
    text_modality_dropout: Fixed[value_types.Rate]
    image_modality_dropout: Fixed[value_types.Rate]
    # captions
    caption_prefix_encoder: Annotated[Fixed[value_types.Switch], FixedByWeights("decoder")]
    label_smoothing: Changes[value_types.Rate]
    caption_metric_images: Changes[value_types.CountOrZero]
    generation_strategy: Question[Changes[value_types.GenerationStrategy]]
    num_beams: Question[Changes[value_types.Count]]
    top_k: Question[Changes[value_types.OptionalCount]]
    top_p: Question[Changes[value_types.Probability]]
    temperature: Question[Changes[value_types.Positive]]
    repetition_penalty: Question[Changes[value_types.Positive]]
    max_generated_tokens: Question[Changes[value_types.OptionalCount]]
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
    resume_schedule: Changes[value_types.ResumeSchedule]
    val_check_interval: Changes[value_types.Interval]
    monitor: Fixed[value_types.Metric]
    early_stopping_patience: Changes[value_types.OptionalCount]
    early_stopping_min_delta: Changes[value_types.NotNegative]
    # the command `prepare`
    dataset: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    raw_root: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("prepare")]
    dataset_name: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    image_column: Annotated[NoEffect[value_types.OptionalText], OnlyReadBy("prepare")]
    caption_columns: Annotated[NoEffect[value_types.OptionalNames], OnlyReadBy("prepare")]
    val_fraction: DecidesOnTables[NoEffect[value_types.Share]]
    max_rejected_fraction: Annotated[NoEffect[value_types.Tolerance], OnlyReadBy("prepare")]
    num_scenes: DecidesOnTables[NoEffect[value_types.Count]]
    # the command `compare`
    runs: Annotated[NoEffect[value_types.OptionalFolders], OnlyReadBy("compare")]
    compare_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("compare")]
    # the command `export`
    export_dir: Annotated[NoEffect[value_types.OptionalFolder], OnlyReadBy("export")]

    def active_tasks(self) -> list[str]:
        """The tasks with a weight above 0, in alphabetical order."""
        return sorted(name for name, weight in self.loss_names.items() if weight > 0)

    def encoder_dimensions(self) -> EncoderDimensions | None:
        """The one-tower encoder's manual dimensions; None where the encoder's own hold."""
        return self._dimensions("encoder") if self.encoder_manual_configuration else None

    def image_encoder_dimensions(self) -> EncoderDimensions | None:
        """The image encoder's manual dimensions; None where the encoder's own hold."""
        return self._dimensions("image_encoder") if self.image_encoder_manual_configuration else None

    def cross_layer_dimensions(self) -> EncoderDimensions:
        """The fuser's dimensions."""
        return self._dimensions("fuser")

    def decoder_dimensions(self) -> EncoderDimensions:
        """The dimensions of our own text decoder."""
        return self._dimensions("decoder")

    def worker_processes(self) -> int:
        """`num_workers`, but not more than the cores that this process may use."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(self.num_workers, cores)

    def _dimensions(self, part: str) -> EncoderDimensions:
        """The dimensions that the settings of a part say."""
        roles = roles_in(type(self).model_fields, part)
        values = {name: getattr(self, setting) for name, setting in roles.items() if name in DIMENSIONS}
        return EncoderDimensions(**values)
