"""The training step against one forward + backward pass of transformers' DeiT-tiny on the same images.

    python -m benchmarks.step [--repeats 12] [--batch 16] [--profile]

A two-tower of DeiT-tiny 224, ELECTRA-small and 6 × 256 cross-modal layers trains MLM + ITM with whole-word masking on
16 images and captions whose longest has 20 tokens, gradient clipping and optimiser included. Step and primitive take
turns, so what else the machine does burdens both; printed are medians with the range of the middle half, and the
ratio of each pair of turns. The aim is a ratio of 3.6, the limit 4.2; the original Renaissance code takes 6.5.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from torch import Tensor, nn
from transformers import DeiTConfig, DeiTModel

from benchmarks.timing import machine, measured_device, summarise
from config import ex
from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.listed import ListExamples
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics
from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.vocabulary import Vocabulary
from renaissance.models.build import build_model
from renaissance.models.interface import Part
from renaissance.settings import Settings, check_settings
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from renaissance.training.memory import peak_memory_bytes
from renaissance.training.optimizers.build import build_optimizer
from renaissance.training.optimizers.groups import parameter_groups

LONGEST_CAPTION, VOCABULARY_SIZE = 20, 30522


def make_settings() -> Settings:
    """The settings of `task_mlm_itm_deit_electra` with randomly initialised encoders and clipping."""
    named = ex.named_configs["task_mlm_itm_deit_electra"]
    defaults = ex.configurations[0]()
    overrides = {
        "random_init_text_encoder": True,
        "random_init_vision_encoder": True,
        "gradient_clip_val": 1.0,
    }
    return check_settings({**defaults, **named(fixed=None, preset=defaults), **overrides})


def make_text() -> TextProcessor:
    """A WordPiece tokenizer with as many entries as BERT's; which words they are does not matter here."""
    special = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    entries = {f"[{role.upper()}]": number for role, number in special.items()}
    entries.update({f"word{number}": number for number in range(len(special), VOCABULARY_SIZE)})
    tokenizer = Tokenizer(WordPiece(entries, unk_token="[UNK]"))
    return TextProcessor(Vocabulary(tokenizer, special, frozenset(special.values())), LONGEST_CAPTION)


def make_batch(size: int, settings: Settings, text: TextProcessor, device: torch.device) -> Batch:
    """A batch of random images and captions of 8 to 20 tokens, masks and pairs drawn as the loader does."""
    generator = torch.Generator().manual_seed(0)
    images = (size, 3, settings.image_size, settings.image_size)
    lengths = torch.randint(8, LONGEST_CAPTION + 1, (size,), generator=generator)
    lengths[0] = LONGEST_CAPTION
    columns = torch.arange(LONGEST_CAPTION)
    mask = columns < lengths[:, None]
    ids = torch.randint(5, VOCABULARY_SIZE, mask.shape, generator=generator).where(mask, text.pad_id)
    inner = mask & (columns > 0) & (columns < lengths[:, None] - 1)
    words = (columns - 1).div(1.3).long().expand(mask.shape).where(inner, -1)  # 1.3 tokens a word
    batch = Batch(
        index=torch.arange(size),
        schema="caption",
        row=torch.arange(size),
        pixels=torch.randint(0, 256, images, dtype=torch.uint8, generator=generator),
        tokens=Tokens(ids, mask, words),
    )
    values = [{"text": f"caption {number}", "image": str(number).encode()} for number in range(size)]
    fetch = Fetch(ListExamples(values, DataNeeds(CAPTIONS, image=True, text=True)), size)
    for name in settings.active_tasks():
        declaration = declaration_of(name)
        collate = load_behaviour(declaration).collate(declaration, settings, text, training=True)
        assert collate is not None
        batch.collated[name] = collate(batch, fetch, [np.random.default_rng([0, row]) for row in range(size)])
    return batch.to(device)


def make_training_step(
    settings: Settings, text: TextProcessor, batch: Batch, device: torch.device
) -> Callable[[], None]:
    """A function that takes one optimiser step on the batch, as the Lightning module does."""
    model = build_model(settings, vocab_size=text.vocab_size, pad_id=text.pad_id, image=True, text=True)
    declarations = [declaration_of(name) for name in settings.active_tasks()]
    tasks = nn.ModuleDict(
        {one.name: load_behaviour(one)(TaskContext(one, settings, model, text, None)) for one in declarations}
    )
    pixels = Pixels(ImageStatistics.of_key("imagenet"), settings.randaugment_magnitude).to(device)
    model.to(device).train()
    tasks.to(device).train()
    parts = [*model.parts(), *(Part(name, task, "head") for name, task in tasks.items())]
    optimizer = build_optimizer(parameter_groups(parts, settings), settings)
    parameters = [*model.parameters(), *tasks.parameters()]

    def step() -> None:
        shared = Step(model, batch, pixels)
        loss = sum(task(shared).loss for task in tasks.values())
        assert isinstance(loss, Tensor)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    return step


def make_primitive(batch: Batch, device: torch.device) -> Callable[[], None]:
    """A function that takes one forward and backward pass of DeiT-tiny on the batch's images."""
    config = DeiTConfig(hidden_size=192, num_attention_heads=3, intermediate_size=768)
    config._attn_implementation = "sdpa"
    model: nn.Module = DeiTModel(config, add_pooling_layer=False)
    model.to(device).train()
    assert batch.pixels is not None
    pixels = batch.pixels.float() / 255

    def step() -> None:
        model.zero_grad()
        model(pixel_values=pixels).last_hidden_state.mean().backward()

    return step


def measure(steps: Mapping[str, Callable[[], None]], repeats: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of each function, which take turns; two rounds to warm up are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(repeats + 2):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= 2:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=12, help="turns that are counted")
    parser.add_argument("--batch", type=int, default=16, help="examples a step")
    parser.add_argument("--profile", action="store_true", help="print where the step's time goes")
    arguments = parser.parse_args()
    device = measured_device()
    torch.manual_seed(0)
    settings, text = make_settings(), make_text()
    batch = make_batch(arguments.batch, settings, text, device)
    steps = {
        "DeiT-tiny forward + backward": make_primitive(batch, device),
        "training step": make_training_step(settings, text, batch, device),
    }
    print(machine())
    seconds = measure(steps, arguments.repeats, device)
    for name, values in seconds.items():
        print(f"{name:30} {summarise(values)} s")
    primitive, step = seconds.values()
    print(
        f"{'ratio':30} {summarise([ours / theirs for ours, theirs in zip(step, primitive, strict=True)])}  (limit 4.2)"
    )
    print(f"{'examples a second':30} {summarise([arguments.batch / value for value in step])}")
    print(f"{'peak memory':30} {peak_memory_bytes() / 1e9:.2f} GB")
    if arguments.profile:
        with torch.profiler.profile() as profile:
            steps["training step"]()
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))


if __name__ == "__main__":
    main()
