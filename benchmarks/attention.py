"""What the built-in text encoder costs at growing lengths, with local and with full attention.

    python -m benchmarks.attention [--repeats 5] [--batch 8] [--window 64]

Forward and backward pass of `text_encoder=transformer` on batches of texts of 512, 1,024 and 2,048 tokens, a tenth of
them padded. The lengths take turns, so what else the machine does burdens all; printed are medians with the range of
the middle half, and the ratio of each turn to its 512 tokens. The limit for 2,048 tokens with a window is 4.6.
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import nn
from tqdm import tqdm

from benchmarks.timing import machine, measured_device, summarise
from renaissance.models.towers.transformer import TransformerConfig, TransformerEncoder

LENGTHS = (512, 1024, 2048)
LIMIT = 4.6  # seconds at the last length over seconds at the first
VOCABULARY_SIZE = 30522


def make_model(window: int | None, device: torch.device) -> TransformerEncoder:
    """A model of width 192 with 2 layers, without dropout."""
    config = TransformerConfig(
        vocab_size=VOCABULARY_SIZE,
        num_hidden_layers=2,
        hidden_dropout_prob=0.0,
        max_position_embeddings=max(LENGTHS),
        window_size=window,
    )
    model = TransformerEncoder(config).train()
    nn.Module.to(model, device)
    return model


def seconds_of_step(model: TransformerEncoder, batch: int, length: int, device: torch.device) -> float:
    """Seconds of a forward and backward pass on a batch of random texts."""
    ids = torch.randint(1, VOCABULARY_SIZE, (batch, length), device=device)
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, length - length // 10 :] = False
    model.zero_grad()
    _wait(device)
    started = time.perf_counter()
    model(ids, mask).last_hidden_state.square().mean().backward()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def report(name: str, window: int | None, batch: int, repeats: int, device: torch.device) -> None:
    """Measure one kind of attention and print its lines."""
    model = make_model(window, device)
    turns = []
    for turn in tqdm(range(repeats + 1), desc=name, disable=None, leave=False, delay=1):
        seconds = [seconds_of_step(model, batch, length, device) for length in LENGTHS]
        if turn:  # the first one warms up
            turns.append(seconds)
    for column, length in enumerate(LENGTHS):
        ratios = [seconds[column] / seconds[0] for seconds in turns]
        limit = f"  (limit {LIMIT})" if window is not None and length == LENGTHS[-1] else ""
        taken = summarise([seconds[column] for seconds in turns])
        print(f"{name:16} {length:5} tokens {taken:28} s   ratio {summarise(ratios)}{limit}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="turns that are counted, at least 2")
    parser.add_argument("--batch", type=int, default=8, help="texts a step")
    parser.add_argument("--window", type=int, default=64, help="tokens around it that a token sees")
    arguments = parser.parse_args()
    device = measured_device()
    torch.manual_seed(0)
    print(machine())
    report(f"window {arguments.window}", arguments.window, arguments.batch, arguments.repeats, device)
    report("full attention", None, arguments.batch, arguments.repeats, device)


if __name__ == "__main__":
    main()
