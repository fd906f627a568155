"""What patch dropout saves: training steps of the image tower alone, and of MLM + ITM on both towers, at 224 pixels.

    python -m benchmarks.patch_dropout [--repeats 8] [--batch 16]

The towers are DeiT-tiny and ELECTRA-small, as in `benchmarks.step`; half, and three quarters, of the 196 patches are
left out. Steps take turns, so what else the machine does burdens all; printed are medians with the range of the middle
half, and how many times as fast as the step of the same turn with every patch. Where nothing but the patches cost time,
that would be 2 and 4 at most.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.step import make_batch, make_settings, make_text, make_training_step, measure
from benchmarks.timing import machine, measured_device, summarise
from renaissance.models.build import build_model
from renaissance.settings import Settings, check_settings

RATES = (0.0, 0.5, 0.75)


def make_tower_step(settings: Settings, pixels: Tensor) -> Callable[[], None]:
    """A function that takes one forward and backward pass of the image tower on normalised pixels (B, 3, H, W)."""
    model = build_model(settings, vocab_size=0, pad_id=0, image=True, text=False).to(pixels.device).train()

    def step() -> None:
        model.zero_grad()
        model.encode_image(pixels).hidden.mean().backward()

    return step


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=8, help="turns that are counted")
    parser.add_argument("--batch", type=int, default=16, help="examples a step")
    arguments = parser.parse_args()
    device = measured_device()
    torch.manual_seed(0)
    base, text = make_settings(), make_text()
    settings = {rate: check_settings({**base.model_dump(), "patch_dropout": rate}) for rate in RATES}
    batch = make_batch(arguments.batch, base, text, device)
    assert batch.pixels is not None
    pixels = batch.pixels.float() / 255
    towers = {f"image tower, {rate:.2f} left out": make_tower_step(settings[rate], pixels) for rate in RATES}
    wholes = {
        f"MLM + ITM, {rate:.2f} left out": make_training_step(settings[rate], text, batch, device) for rate in RATES
    }
    print(machine())
    seconds = measure({**towers, **wholes}, arguments.repeats, device)
    for names in (list(towers), list(wholes)):
        for name in names:
            faster = [every / these for every, these in zip(seconds[names[0]], seconds[name], strict=True)]
            print(f"{name:30} {summarise(seconds[name]):30} s   times as fast: {summarise(faster)}")


if __name__ == "__main__":
    main()
