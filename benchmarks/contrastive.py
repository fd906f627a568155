"""What cached features cost and save: contrastive steps in micro-batches against the plain large batch.

    python -m benchmarks.contrastive [--batches 256 1024] [--micro-batch 32] [--image-size 64] [--repeats 5]

A two-tower of 6 layers of DeiT-tiny's and of ELECTRA-small's width each learns `contrastive` on images in patches of
16 × 16 and captions whose longest has 20 tokens, with dropout, optimiser included. Each way has a process of its own,
for its peak memory, and these take turns step by step; printed are medians with the range of the middle half, and the
ratio of each pair of turns. On the CPU the seconds are the processor's, which what else the machine does changes
little. Memory is what a process held at its peak, and what of that the steps have added to libraries, model and data.
The aim is at most 1.6 times the plain step's time at under a third of its memory.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

import torch
from torch import nn

from benchmarks.step import make_batch, make_text
from benchmarks.timing import machine, measured_device, summarise
from config import ex
from renaissance.checkpoints.checkpoint import ModelDescription
from renaissance.data.batches.batch import Batch
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics
from renaissance.models.build import build_model
from renaissance.settings import Settings, check_settings
from renaissance.tasks.behaviours import joined_sides, load_behaviour
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from renaissance.training.memory import peak_memory_bytes
from renaissance.training.module import TrainingModule
from renaissance.training.monitoring import Monitor
from renaissance.training.optimizers.build import build_optimizer
from renaissance.training.optimizers.groups import parameter_groups
from renaissance.training.plan import AskedLength, TrainingData, make_plan

LAYERS, PATCH_SIZE = 6, 16
WARM_UP = 1  # turns that are not counted


def make_settings(batch: int, micro_batch: int, image_size: int) -> Settings:
    """The settings of a run on contrastive learning."""
    defaults = ex.configurations[0]()
    size = {"batch_size": batch, "per_gpu_batchsize": micro_batch, "image_size": image_size, "patch_size": PATCH_SIZE}
    towers = {
        name: value
        for side in ("image", "text")
        for name, value in {
            f"{side}_encoder_manual_configuration": True,
            f"{side}_encoder_num_layers": LAYERS,
            f"random_init_{'vision' if side == 'image' else side}_encoder": True,
        }.items()
    }
    loss_names = {**dict.fromkeys(defaults["loss_names"], 0), "contrastive": 1}
    return check_settings({**defaults, **size, **towers, "loss_names": loss_names})


def make_module(settings: Settings, vocabulary: int, padding: int) -> TrainingModule:
    """The module that trains, without a trainer around it."""
    fused = joined_sides(settings).fused
    model = build_model(settings, vocab_size=vocabulary, pad_id=padding, image=True, text=True, fused=fused)
    declaration = declaration_of("contrastive")
    task = load_behaviour(declaration)(TaskContext(declaration, settings, model, None, None))
    plan, _ = make_plan(AskedLength.of_settings(settings), [TrainingData(settings.batch_size)], world_size=1)
    pixels = Pixels(ImageStatistics.of_key("imagenet"), settings.randaugment_magnitude)
    monitor, description = Monitor.of_settings(settings), ModelDescription(settings={}, encoder_configs={})
    module = TrainingModule(
        model, {"contrastive": task}, settings, monitor, plan, description, pixels, lambda step, epoch, values: None
    )
    return module.train()


def make_step(module: TrainingModule, batches: Sequence[Batch], device: torch.device) -> Callable[[], None]:
    """A function that takes one optimiser step over the batches, as the trainer does with this module."""
    optimizer = build_optimizer(parameter_groups(module.parts(), module.settings), module.settings)
    batches[0].following = tuple(batches[1:])

    def step() -> None:
        module.batch_number = 0
        for number, batch in enumerate(batches):
            module.on_train_batch_start(batch, number)
            loss = module.training_step(batch.to(device), number) / len(batches)
            loss.backward()
            module.batch_number += 1
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def serve(connection: Connection, batch: int, micro_batch: int, image_size: int) -> None:
    """Take a step whenever asked to, and answer with its seconds; at the end with bytes held before and at the peak."""
    device = measured_device()
    torch.manual_seed(0)
    settings, text = make_settings(batch, micro_batch, image_size), make_text()
    whole = make_batch(batch, settings, text, torch.device("cpu"))
    count = batch // micro_batch
    batches = [whole.map(lambda tensor, part=part: tensor.chunk(count)[part]) for part in range(count)]  # type: ignore[misc]
    step = make_step(make_module(settings, text.vocab_size, text.pad_id).to(device), batches, device)
    before = torch.cuda.memory_allocated() if device.type == "cuda" else _held()
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    while connection.recv():
        started = clock()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        connection.send(clock() - started)
    connection.send((before, peak_memory_bytes()))


def _held() -> int:
    """Bytes that this process holds now, or where that is not told, at most until now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak_memory_bytes()


def measure(
    batch: int, micro_batches: Sequence[int], image_size: int, repeats: int
) -> list[tuple[list[float], int, int]]:
    """Of each way, whose processes take turns, the seconds of its steps and the bytes before them and at the peak."""
    context = multiprocessing.get_context("spawn" if torch.cuda.is_available() else None)
    connections, processes = [], []
    for micro_batch in micro_batches:
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, batch, micro_batch, image_size), daemon=True)
        process.start()
        connections.append(here)
        processes.append(process)
    seconds: list[list[float]] = [[] for _ in micro_batches]
    for turn in range(WARM_UP + repeats):
        for taken, connection in zip(seconds, connections, strict=True):
            connection.send(True)
            taken.append(connection.recv())
            if turn < WARM_UP:
                taken.clear()
    found = []
    for taken, connection, process in zip(seconds, connections, processes, strict=True):
        connection.send(False)
        found.append((taken, *connection.recv()))
        process.join()
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024], help="examples of a step")
    parser.add_argument("--micro-batch", type=int, default=32, help="examples at once, where features are cached")
    parser.add_argument("--image-size", type=int, default=64, help="of the images, in pixels")
    parser.add_argument("--repeats", type=int, default=5, help="turns that are counted, at least 2")
    arguments = parser.parse_args()
    print(machine())
    for batch in arguments.batches:
        plain, cached = measure(batch, (batch, arguments.micro_batch), arguments.image_size, arguments.repeats)
        names = (f"{batch} plain", f"{batch} in {batch // arguments.micro_batch} × {arguments.micro_batch}")
        for name, (seconds, before, peak) in zip(names, (plain, cached), strict=True):
            held = f"{peak / 1e9:.2f} GB at the peak, {(peak - before) / 1e9:.2f} GB of it the steps'"
            print(f"{name:16} {summarise(seconds):28} s   {held}")
        ratio = summarise([ours / theirs for theirs, ours in zip(plain[0], cached[0], strict=True)])
        of_peak, of_steps = cached[2] / plain[2], (cached[2] - cached[1]) / (plain[2] - plain[1])
        print(f"{'ratio':16} {ratio:28}     {of_peak:.2f} at the peak, {of_steps:.2f} of the steps'", flush=True)


if __name__ == "__main__":
    main()
