"""Whether a run can go on from a checkpoint: optimiser, schedule and position in the data must mean the same.

Comes in: what the checkpoint says and what is asked for now. Goes out: nothing, or one message that names every
difference.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.training.checkpoints import Checkpoint
from renaissance.training.plan import Plan

# What the optimiser's state, the order of the data and the random choices rest on.
SAME = ("seed", "datasets", "loss_names", "optim_type", "freeze_encoder", "freeze_image_encoder",
        "freeze_text_encoder", "freeze_encoder_layers", "freeze_image_encoder_layers", "freeze_text_encoder_layers",
        "freeze_cross_modal", "freeze_decoder", "mlm_prob", "whole_word_masking", "draw_false_image",
        "draw_false_text", "itm_false_from", "train_transform_keys", "randaugment_operations",
        "randaugment_magnitude", "mixing_alpha", "text_modality_dropout", "image_modality_dropout")  # fmt: skip
# Where the user says nothing, the checkpoint's hold.
SAME_IF_CHOSEN = ("image_size", "max_text_len", "long_text", "text_encoder_window_size",
                  "text_pooling", "image_pooling", "random_init_decoder", "drop_rate", "image_encoder_drop_rate",
                  "text_encoder_drop_rate", "cross_layer_drop_rate", "decoder_drop_rate")  # fmt: skip
POSITION = {"device_batch": "per_gpu_batchsize", "accumulate": "batch_size", "world_size": "num_gpus and num_nodes",
            "epoch_batches": "datasets"}  # fmt: skip


def check_settings_resumable(checkpoint: Checkpoint, settings: Settings, chosen: Collection[str]) -> None:
    """Compare what decides on optimiser and data, before anything is built.

    Raises:
        UserError: naming every setting that differs.
    """
    saved, asked = checkpoint.description.settings, settings.model_dump()
    names = [*SAME, *(name for name in SAME_IF_CHOSEN if name in chosen)]
    differences = [
        f"  {name}: {asked[name]!r}, the checkpoint's run has {saved[name]!r}"
        for name in names
        if name in saved and not _same(asked[name], saved[name])
    ]
    _refuse(checkpoint, differences)


def _same(asked: Any, saved: Any) -> bool:
    """Whether two values of a setting mean the same; a value may stand for a list of it, one for each encoder."""
    if isinstance(asked, list) != isinstance(saved, list):
        many, one = (asked, saved) if isinstance(asked, list) else (saved, asked)
        return all(value == one for value in many)
    return bool(asked == saved)


def check_plan_resumable(checkpoint: Checkpoint, plan: Plan) -> None:
    """Compare how the stream of training batches is cut: its position counts batches.

    Raises:
        UserError: naming every number that differs.
    """
    asked = asdict(plan)
    differences = [
        f"  {name} ({setting}): {asked[name]}, the checkpoint's run has {checkpoint.plan[name]}"
        for name, setting in POSITION.items()
        if name in checkpoint.plan and asked[name] != checkpoint.plan[name]
    ]
    _refuse(checkpoint, differences)


def _refuse(checkpoint: Checkpoint, differences: list[str]) -> None:
    if differences:
        raise UserError(
            f"{checkpoint.path}: this run cannot be resumed with other settings:\n"
            + "\n".join(differences)
            + "\nGive the settings of the run that is resumed, or start a new run from its weights with load_path."
        )
