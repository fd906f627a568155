"""Which files of a run's folder go into GridFS as its artefacts.

While a run goes on: its settings, its command, curves and sheets. At its end also its metrics and its summary, and its
checkpoints where `mongo_checkpoints` asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

WHILE_RUNNING = ("config.json", "command.json", "loaded.csv", "plots/*", "samples/*")
AT_THE_END = ("metrics.csv", "pace.csv", "summary.json")
CHECKPOINTS = ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "checkpoints/best.ckpt.shards/*",
               "checkpoints/last.ckpt.shards/*")  # fmt: skip
LARGEST_BYTES = 64 * 1024 * 1024  # of what is no checkpoint


def artefacts(run: Path, ended: bool, checkpoints: bool) -> Iterator[tuple[str, Path]]:
    """The files, under names such as "plots_itm_loss.png". Nothing outside the folder is one.

    Omniboard puts the name into the file's address, where a slash would begin another part.

    Args:
        run: the run's folder.
        ended: whether the run is over.
        checkpoints: whether its checkpoints are wanted.
    """
    patterns = [*WHILE_RUNNING, *(AT_THE_END if ended else ()), *(CHECKPOINTS if ended and checkpoints else ())]
    for pattern in patterns:
        for path in sorted(run.glob(pattern)):
            if path.name.startswith(".") or not path.is_file() or not path.resolve().is_relative_to(run.resolve()):
                continue
            if pattern in CHECKPOINTS or path.stat().st_size <= LARGEST_BYTES:
                yield "_".join(path.relative_to(run).parts), path
