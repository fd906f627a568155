"""Settings that cannot go together, those of texts among them (`texts.py`).

With a command, also what that needs of them: training's needs are in `starting.py`, a command's in its own file.

Each check is a function of the settings that yields faults, a line each. Where a value that a check reads is itself
at fault, that check is left out (the attribute is not there), and the others still run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from renaissance.commands.declaration import Check
from renaissance.commands.registry import commands
from renaissance.settings.discovery import monitored_fault, task_reads
from renaissance.settings.marked import parts_with, setting_of
from renaissance.settings.registered_encoders import is_image_encoder
from renaissance.settings.rules.starting import FILES, RESUMING, TRAINING, loads_a_checkpoint
from renaissance.settings.rules.texts import TEXT, no_inner_width
from renaissance.settings.schema import Settings
from renaissance.tasks.registry import declaration_of
from renaissance.training.optimizers.registry import declared_optimizer

GENERATED = tuple(f"caption/val/{metric}" for metric in ("bleu", "rouge", "cider"))  # what needs written captions
SEVERAL = "text_encoder"  # the part of which there may be several, checked one by one (`texts.py`)


def faults_together(settings: Settings, command: str | None) -> list[str]:
    """All faults of the settings taken together; attributes that are at fault themselves may be missing.

    A resumed run's settings are its own, so only with those are the command line's checked together.
    """
    if command == "train" and getattr(settings, "resume_from", None) is not None:
        command = "resume"
    declaration = commands().get(command or "")
    checks = [] if command == "resume" else list(ALWAYS)
    if command in ("train", "resume", "print") or (declaration is not None and declaration.builds_a_model):
        checks += FILES
    if declaration is not None:
        checks += declaration.needs
    else:
        checks += {"train": TRAINING, "resume": RESUMING}.get(command or "", [])
    faults: list[str] = []
    for check in checks:
        try:
            faults += check(settings)
        except AttributeError:
            if len(settings.model_fields_set) == len(Settings.model_fields):
                raise
    return faults


def _manual_needs_random(part: str) -> Check:
    manual, random = setting_of(part, "manual"), setting_of(part, "random")

    def check(settings: Settings) -> Iterator[str]:
        registered = is_image_encoder(settings.image_encoder) and part == "image_encoder"
        if getattr(settings, manual) and not getattr(settings, random) and not registered:
            yield f"{manual}=True needs {random}=True: pretrained weights bring their own dimensions"

    return check


def _heads_divide(part: str) -> Check:
    width, heads = setting_of(part, "hidden_size"), setting_of(part, "num_heads")

    def check(settings: Settings) -> Iterator[str]:
        if getattr(settings, width) % getattr(settings, heads):
            yield (
                f"{width}={getattr(settings, width)} is not divisible by {heads}={getattr(settings, heads)}: "
                "every attention head takes an equal share of the width"
            )

    return check


def _inner_width(part: str) -> Check:
    width, ratio = setting_of(part, "hidden_size"), setting_of(part, "mlp_ratio")

    def check(settings: Settings) -> Iterator[str]:
        yield from no_inner_width(width, getattr(settings, width), ratio, getattr(settings, ratio))

    return check


def _clip_model(settings: Settings) -> Iterator[str]:
    if settings.clip_model is None:
        return
    if settings.model_type == "one-tower":
        yield "clip_model is two towers, and model_type=one-tower has one: take two-tower or late-fusion"
    if settings.random_init_text_encoder != settings.random_init_vision_encoder:
        yield (
            "clip_model begins at random as a whole or not at all: give random_init_text_encoder and "
            "random_init_vision_encoder the same value"
        )


def _image_size(settings: Settings) -> Iterator[str]:
    patch, source = settings.patch_size, "patch_size"
    if patch is None and not settings.load_path and not settings.load_modules:
        name = "encoder" if settings.model_type == "one-tower" else "image_encoder"
        found = re.search(r"patch(\d+)|dino-vit[a-z](\d+)", getattr(settings, name))
        if found:
            patch, source = int(found[1] or found[2]), f"the patch size of {name}"
    if patch and settings.image_size % patch:
        yield f"image_size={settings.image_size} is not divisible by {source}, {patch}"


def _weighted_data_sets(settings: Settings) -> Iterator[str]:
    others = [name for name in settings.dataset_weights if name not in settings.datasets]
    if others:
        yield f"dataset_weights names {', '.join(others)}, and datasets are {', '.join(settings.datasets)}"


def _decoder(settings: Settings) -> Iterator[str]:
    if settings.random_init_decoder and settings.decoder is None and not loads_a_checkpoint(settings):
        yield "random_init_decoder=True needs a decoder, such as gpt2: our own begins at random anyway"


def _false_pairs(settings: Settings) -> Iterator[str]:
    if settings.loss_names.get("itm") and settings.draw_false_image + settings.draw_false_text < 1:
        yield "draw_false_image + draw_false_text must be at least 1 for itm: without false pairs it learns nothing"


def _partners(settings: Settings) -> Iterator[str]:
    """What pairs the examples of a batch needs two of them."""
    if settings.test_only or settings.per_gpu_batchsize > 1:
        return
    if settings.loss_names.get("itm") and settings.itm_false_from != "dataset":
        yield (
            "per_gpu_batchsize=1 leaves itm no false partner in the batch: take at least 2, or itm_false_from=dataset"
        )
    if settings.batch_size < 2 and "contrastive" in settings.active_tasks():
        yield "batch_size=1 leaves contrastive nothing to compare a text and its image with: take as much as fits"
    if settings.mixing_alpha:
        yield (
            f"per_gpu_batchsize=1 leaves mixing_alpha={settings.mixing_alpha} nothing in the batch to mix an example "
            "with: take at least 2, or mixing_alpha=0"
        )


def _hard_pairs(settings: Settings) -> Iterator[str]:
    """What draws by similarity needs a joint space."""
    tasks = settings.active_tasks()
    if settings.itm_false_from == "hard" and "itm" in tasks and "contrastive" not in tasks and not settings.test_only:
        yield (
            "itm_false_from='hard' draws false partners by the similarity that contrastive learns: add "
            "loss_names.contrastive=1, or take itm_false_from=batch"
        )


def _weighted_partners(settings: Settings) -> Iterator[str]:
    """What an epoch leaves out, as a false partner it would be seen all the same, and false only."""
    if settings.itm_false_from != "dataset" or "itm" not in settings.active_tasks() or settings.test_only:
        return
    for name in ("dataset_weights", "caption_weights"):
        if getattr(settings, name):
            yield (
                f"{name} takes some examples seldom or never, and itm_false_from=dataset draws false partners from all "
                f"alike: take itm_false_from=batch, or no {name}"
            )


def _image_only(settings: Settings) -> Iterator[str]:
    reading = [task for task in settings.active_tasks() if "text" in task_reads(task)]
    if settings.image_only and reading:
        yield f"image_only=True leaves the text out, which {', '.join(reading)} cannot do without"


def _mixable(settings: Settings) -> Iterator[str]:
    if not settings.mixing_alpha:
        return
    others = [task for task in settings.active_tasks() if not declaration_of(task).mixable]
    if others:
        yield (
            f"mixing_alpha={settings.mixing_alpha} mixes two examples and what they are to be classified as; "
            f"{', '.join(others)} cannot be mixed, for the targets are no classes that could be shares of two "
            "examples. Take mixing_alpha=0."
        )


def _own_images(settings: Settings) -> Iterator[str]:
    tasks = settings.active_tasks()
    if settings.manual_inputs and tasks and not any(declaration_of(task).writes for task in tasks):
        yield f"manual_inputs: {', '.join(tasks)} writes no captions, so nothing would be made of your images"


def _modality_dropout(settings: Settings) -> Iterator[str]:
    rates = {name: getattr(settings, name) for name in ("text_modality_dropout", "image_modality_dropout")}
    one_sided = [task for task in settings.active_tasks() if len(task_reads(task)) < 2]
    tasks = [declaration_of(task) for task in settings.active_tasks()]
    if any(rates.values()) and tasks and not one_sided and not any(task.fuses for task in tasks):
        apart = ", ".join(task.name for task in tasks)
        yield f"a modality left out before fusing changes nothing for {apart}, which fuses nothing: take rates of 0"
    for name, rate in rates.items():
        if rate and one_sided:
            yield f"{name}={rate} leaves {', '.join(one_sided)} nothing: it has one modality. Take {name}=0"
    if sum(rates.values()) > 1:
        yield (
            f"text_modality_dropout={rates['text_modality_dropout']} and image_modality_dropout="
            f"{rates['image_modality_dropout']} are more than 1 together, and no example loses both"
        )


def _patch_dropout(settings: Settings) -> Iterator[str]:
    if settings.patch_dropout and settings.freeze_image_encoder and settings.model_type != "one-tower":
        yield (
            f"patch_dropout={settings.patch_dropout} is for an image encoder that is trained: with "
            "freeze_image_encoder=True it sees every patch, as in evaluation. Take patch_dropout=0"
        )


def _generated_length(settings: Settings) -> Iterator[str]:
    longest = settings.max_generated_tokens
    if longest is not None and longest > settings.max_text_len:
        yield (
            f"max_generated_tokens={longest} is more than max_text_len={settings.max_text_len}, the longest text that "
            "the decoder knows"
        )


def _monitor(settings: Settings) -> Iterator[str]:
    if settings.monitor is None or not settings.active_tasks():
        return
    fault = monitored_fault(settings.monitor, settings.active_tasks())
    if fault:
        yield f"monitor={settings.monitor!r}: {fault}"
    elif settings.monitor.startswith(GENERATED) and not settings.caption_metric_images:
        yield f"monitor={settings.monitor!r} is of generated captions, and caption_metric_images=0 generates none"


def _devices(settings: Settings) -> Iterator[str]:
    """A GPU has one process."""
    gpus, devices = settings.num_gpus, settings.devices
    if isinstance(gpus, int) and gpus > 0 and devices not in (None, gpus):
        yield (
            f"num_gpus={gpus} and devices={devices} contradict each other, for each GPU has one process: leave devices "
            f"out, or give num_gpus=0 for {devices} on the CPU"
        )


def _shared_matrices(settings: Settings) -> Iterator[str]:
    if settings.strategy == "fsdp" and declared_optimizer(settings.optim_type).separates_matrices:
        yield (
            f"strategy=fsdp gives each device rows of a matrix, and optim_type={settings.optim_type} needs it whole: "
            "take strategy=ddp, or optim_type=adamw"
        )


def _length(settings: Settings) -> Iterator[str]:
    if settings.max_epoch is None and settings.max_steps is None:
        yield "max_epoch and max_steps are both None: one of them must say when training ends"


def _end_of_decay(settings: Settings) -> Iterator[str]:
    if settings.end_lr > settings.learning_rate:
        yield f"end_lr={settings.end_lr} is above learning_rate={settings.learning_rate}"


ALWAYS: list[Check] = [
    *(_manual_needs_random(part) for part in parts_with("manual") if part != SEVERAL),
    *(_heads_divide(part) for part in parts_with("hidden_size") if part != SEVERAL),
    *(_inner_width(part) for part in parts_with("hidden_size") if part != SEVERAL),
    _clip_model,
    _image_size,
    _weighted_data_sets,
    _decoder,
    _false_pairs,
    _partners,
    _hard_pairs,
    _weighted_partners,
    _image_only,
    _mixable,
    _modality_dropout,
    _patch_dropout,
    _own_images,
    _generated_length,
    _monitor,
    _devices,
    _shared_matrices,
    _length,
    _end_of_decay,
    *TEXT,
]
