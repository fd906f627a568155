"""Settings of earlier versions, by name, as this version calls them. For checkpoints and for what runs began with."""

from __future__ import annotations

from typing import Any


def with_schedule(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings in which `schedule` says what `decay_power="cosine"` said before there was one."""
    if settings.get("decay_power") != "cosine":
        return settings
    return {**settings, "schedule": "cosine", "decay_power": 1}
