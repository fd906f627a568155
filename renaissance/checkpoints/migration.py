"""Checkpoints of earlier versions, brought to this version's format: one small function from each number to the next.

The entry "renaissance" of a checkpoint holds a whole number, `format`; checkpoints from before there was one are of
format 0. The number rises where a file would be misread otherwise: a tensor or an entry is renamed or moved, a setting
is renamed, removed or means something else, or a new setting changes what the same weights compute. A new entry or
setting that does not is simply left out by versions that do not know it (`checkpoint.py`), and a setting that an older
file lacks takes its default.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from renaissance.checkpoints.decoder_names import migrate_decoder
from renaissance.errors import UserError
from renaissance.settings.earlier import with_schedule

ENTRY = "renaissance"
FORMAT = 2  # of the checkpoints that this version writes
Content = dict[str, Any]


def migrated(content: Content, path: Path) -> Content:
    """The content of a checkpoint file at this version's format.

    Args:
        content: with `state_dict`, tensors by name, and the entry "renaissance", a dictionary of plain values.
        path: names the file in messages.

    Raises:
        UserError: it is of a later format, or its format is no number.
    """
    number = content[ENTRY].get("format", 0)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise UserError(f"{path}: its format is {str(number)[:40]!r}, and should be a whole number. Was it changed?")
    if number > FORMAT:
        raise UserError(
            f"{path}: was written by format {number}, this version reads up to {FORMAT}: install a newer version of "
            "Renaissance."
        )
    for earlier in range(number, FORMAT):
        content = MIGRATIONS[earlier](content)
    return {**content, ENTRY: {**content[ENTRY], "format": FORMAT}}


def _move_decoder(content: Content) -> Content:
    """Format 0 to 1: the decoder is a part of the model, no longer of the captioning task."""
    return {**content, "state_dict": migrate_decoder(content["state_dict"])}


def _name_schedule(content: Content) -> Content:
    """Format 1 to 2: a cosine is a `schedule`, no longer a `decay_power`."""
    entry = content[ENTRY]
    settings = entry.get("settings")
    return {**content, ENTRY: {**entry, "settings": with_schedule(settings)}} if isinstance(settings, dict) else content


MIGRATIONS: dict[int, Callable[[Content], Content]] = {0: _move_decoder, 1: _name_schedule}
