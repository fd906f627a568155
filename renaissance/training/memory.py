"""What the C library does with memory that a training step gives back on the CPU: keep it for the next one.

PyTorch takes a CPU tensor's memory from `malloc`. By default glibc returns large pieces to the kernel at once, which
hands out zeroed pages again at every step: a fifth of the time of long texts (`benchmarks/attention.py`).
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of <malloc.h>


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
