"""Random numbers with an address.

What is drawn for an example depends on (seed, epoch, index, purpose) and on nothing else, so that workers,
ranks and a resumed run draw the same. The generator is counter-based (Philox, Salmon et al. 2011,
https://doi.org/10.1145/2063384.2063405): the address is written into its key and counter, so two addresses
never share a number, and nothing has to be hashed or kept.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

_MASK = (1 << 64) - 1


def stream(seed: int, epoch: int, index: int, purpose: str) -> np.random.Generator:
    """The generator of one example (or, with index 0 and a purpose of its own, of one epoch)."""
    counter = [0, 0, index, crc32(purpose.encode())]
    return np.random.Generator(np.random.Philox(key=[seed & _MASK, epoch], counter=counter))
