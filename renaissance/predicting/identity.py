"""What tells whether a file is still the one that a job began with.

Files of up to WHOLE bytes are read whole. Of a larger one its size, the time of its last change and SAMPLES pieces are,
for reading hundreds of gigabytes to the end would take as long as some jobs.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from renaissance.sampled_digest import add_file

WHOLE = 256 << 20
SAMPLES, SAMPLE = 64, 1 << 20


def file_identity(path: Path) -> str:
    """SHA-256 of what the module's docstring says, in hexadecimal digits."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        large = found.st_size > WHOLE
        digest = hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode() if large else b"")
        add_file(digest, file.fileno(), found.st_size, whole=WHOLE, pieces=SAMPLES, piece=SAMPLE)
    return digest.hexdigest()
