"""Names of text architectures that are built from scratch, told from hub names without importing transformers.

`CONFIG_MAPPING` of transformers holds them, which takes seconds to import; here its source is read as text.
"""

from __future__ import annotations

import importlib.util
import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

BUILT_IN = "transformer"  # our own: models/towers/transformer.py
_SOURCES = ("models/auto/auto_mappings.py", "models/auto/configuration_auto.py")
_ENTRY = re.compile(r'"((?!CONFIG_)[\w.-]+)"[,:] "\w+Config"')


@cache
def architecture_names() -> frozenset[str]:
    """Every model type that the installed transformers knows, and our own."""
    names = {BUILT_IN}
    found = importlib.util.find_spec("transformers")
    for folder in (found.submodule_search_locations or []) if found else []:
        for source in _SOURCES:
            path = Path(folder) / source
            names.update(_ENTRY.findall(path.read_text(encoding="utf-8")) if path.is_file() else [])
    return frozenset(names)


def is_architecture(name: str) -> bool:
    """Whether a text encoder's name is an architecture to be built from scratch, not a folder or a hub name."""
    return name in architecture_names() and not (Path(name) / "config.json").is_file()


def meant_architecture(name: str) -> str:
    """A question whether an architecture was meant by a name that nobody has; empty where none is near."""
    near = get_close_matches(name, architecture_names(), n=1, cutoff=0.8)
    return f" Did you mean the architecture {near[0]!r}?" if near and near[0] != name else ""
