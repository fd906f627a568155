"""The defaults of the settings as values, for checkpoints that were written before a setting came.

`config.py` is read as text (see `table.py`), so neither it nor Sacred is imported.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

from renaissance.errors import UserError
from renaissance.settings.table import CONFIG, read_defaults


@cache
def default_settings() -> dict[str, Any]:
    """Every setting's default by name, but for those that follow from the tasks there are (`loss_names`).

    Raises:
        UserError: `config.py` is not beside the package.
    """
    if not CONFIG.is_file():
        raise UserError(f"{CONFIG}: is not there, and has the defaults. Install from the repository: pip install -e .")
    values = {}
    for row in read_defaults(CONFIG.read_text(encoding="utf-8")):
        try:
            values[row.name] = ast.literal_eval(row.default)
        except ValueError:  # made by a function
            continue
    return values
