"""The memory of this machine: how much there is, how much a run holds, and what the C library keeps of it.

PyTorch takes a CPU tensor's memory from `malloc`. By default glibc returns large pieces to the kernel at once, which
hands out zeroed pages again at every step: a fifth of the time of long texts (`benchmarks/attention.py`).
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of <malloc.h>
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Memory:
    """What a device can hold.

    Attributes:
        of: what has it, in words.
        bytes: how much.
    """

    of: str
    bytes: int


def memory_of(accelerator: str) -> Memory:
    """The memory that a run's model has to fit into.

    Args:
        accelerator: "cuda" for the GPU's; "cpu" for the machine's, or what this process may take of it: a container's
            limit, or that of the shell (`ulimit -v`).
    """
    if accelerator == "cuda":
        return Memory(torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory)
    found = [Memory("this machine", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    found += [Memory("this container", limit) for limit in _container_limits()]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        found.append(Memory("this process (ulimit -v)", limit))
    return min(found, key=lambda memory: memory.bytes)


def _container_limits(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """The limits of the control groups that this process is in, of both versions, and of those around them.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html, memory.max; cgroup-v1/memory.html for the older files.
    """
    lines = own.read_text().splitlines() if own.is_file() else []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base, name = (root / "memory", "memory.limit_in_bytes") if controllers else (root, "memory.max")
        group = base / path.strip("/")
        for folder in (group, *group.parents):
            file = folder / name
            text = file.read_text().strip() if file.is_file() else ""
            if text.isdigit():
                yield int(text)
            if folder == base:
                break


def peak_memory_bytes() -> int:
    """The most memory this process has held: the GPU's where one is used, else resident memory."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def keep_freed_memory() -> bool:
    """Have this process keep what it frees, at the cost of holding its peak, or somewhat more, until it ends.

    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html, under M_MMAP_MAX and M_TRIM_THRESHOLD.

    Returns:
        whether that was possible: only glibc knows how.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: macOS, musl, Windows
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, -1))
