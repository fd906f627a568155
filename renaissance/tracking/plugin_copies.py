"""The plug-ins' source in a run's folder, so that its figures can be had again when the files have moved on.

Comes in: the source as it was imported, by path. Goes out: `plugins/<path>`, and beside it `plugins/from_step_<n>/` for
what had changed when the run was resumed at step n.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from renaissance.atomic_files import whole_file
from renaissance.tracking.run_folder import RunFolder


def keep_sources(folder: RunFolder, sources: Mapping[str, bytes], step: int = 0) -> list[str]:
    """Write the source of plug-ins into a run's folder; what is there already stays.

    Args:
        folder: the run's folder.
        sources: files by their paths within the plug-ins' folders.
        step: the optimiser step that the run goes on from; 0 at its start.

    Returns:
        the paths of the files that differ from what the run began with.

    Raises:
        DiskFull: there is no room for them.
    """
    changed = []
    for name, content in sources.items():
        path = folder.plugins / name
        if path.is_file() and path.read_bytes() != content:
            changed.append(name)
            path = folder.plugins / f"from_step_{step}" / name
        if not path.is_file():
            _write(path, content)
    return changed


def _write(path: Path, content: bytes) -> None:
    with whole_file(path, size=len(content)) as temporary:
        temporary.write_bytes(content)
