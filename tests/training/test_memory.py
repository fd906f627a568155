"""Memory that a step frees is there for the next one, without the kernel."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of ten tensors of 64 MB, one after the other; in a process of its own, for the setting lasts.
FAULTS = """
import resource, sys, torch
from renaissance.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(20):  # until the pieces have found their places
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc knows how to keep memory")
def test_freed_memory_is_used_again():
    faults = {
        way: int(subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, check=True, text=True).stdout)
        for way in ("keep", "return")
    }
    assert faults["keep"] < 100 < faults["return"]
