"""What features of a table depend on, as short texts: two that are equal stand for equal features.

In: a model, a table's file. Out: SHA-256 in hexadecimal digits. A table is read whole for it; what came out is kept
beside the table, and holds as long as the system says that the file was not touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

import renaissance
from renaissance.atomic_files import write_json
from renaissance.inference.model import Model
from renaissance.settings import Settings
from renaissance.settings.on_resume import OnResume, on_resume

FORMAT = 1  # of kept features; to be raised when the same weights come to give others
# Settings of a run that say nothing of what its model computes, or are about where a checkpoint lies now.
ELSEWHERE = {"load_path", "load_modules", "manual_inputs"}
OF_NO_FEATURES = (OnResume.NO_EFFECT, OnResume.COMMAND, OnResume.DEVICES)
SETTLED_SECONDS = 2.0  # a file that was touched more recently may be again, without another time stamp


def model_fingerprint(model: Model) -> str:
    """Of everything that a model's features follow from: weights, settings, tokenizer and image transform."""
    names = [name for name, field in Settings.model_fields.items() if on_resume(field) not in OF_NO_FEATURES]
    settings = model.settings.model_dump()
    statistics = model.statistics
    said = {
        "format": [FORMAT, renaissance.__version__],
        "settings": {name: settings[name] for name in names if name not in ELSEWHERE},
        "text": None if model.text is None else model.text.state(),
        "image": None if statistics is None else [statistics.mean, statistics.std, statistics.resample],
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode())
    modules = nn.ModuleDict({"model": model.encoder, "tasks": nn.ModuleDict(model.tasks)})
    for name, tensor in sorted(modules.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def table_fingerprint(table: Path, kept: Path) -> str:
    """Of a table's content.

    Args:
        table: its file.
        kept: a JSON file with what was found before; written where it can be.
    """
    stamp = _stamp(table)
    found = _read(kept)
    if found.get("stamp") == stamp and isinstance(found.get("sha256"), str):
        return str(found["sha256"])
    with table.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if _stamp(table) == stamp and time.time() - os.stat(table).st_ctime > SETTLED_SECONDS:
        with suppress(OSError):
            write_json(kept, {"stamp": stamp, "sha256": digest})
    return digest


def _stamp(path: Path) -> list[int]:
    """What changes when a file is written, replaced or given another time: the last of these nobody can set."""
    found = os.stat(path)
    return [found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev, found.st_ctime_ns]


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
