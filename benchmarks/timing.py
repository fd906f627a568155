"""What the benchmarks share: medians with spread, and a line that says on what machine they were taken."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence

import torch

from renaissance.training.memory import keep_freed_memory


def summarise(values: Sequence[float]) -> str:
    """The median of measurements with the range of their middle half, such as `3.61 (3.58 to 3.70)`."""
    lower, middle, upper = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.4g} ({lower:.4g} to {upper:.4g})"


def measured_device() -> torch.device:
    """The GPU where there is one, or else the CPU, which then keeps freed memory as it does in a run."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    keep_freed_memory()
    return torch.device("cpu")


def machine() -> str:
    """The processor, the cores and threads, and PyTorch's version, in a line."""
    processor = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    )
    load = os.getloadavg()[0]
    return (
        f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"load before the start {load:.1f}"
    )
