"""What a file of this folder adds routes to: those of one model, which an address means by its name or without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from renaissance.serving.service import Service


@dataclass(frozen=True)
class ModelRoutes:
    """The routes of one model.

    Attributes:
        router: takes them.
        service: what is shared.
        found: the default of a parameter that gets the `ServedModel` (FastAPI's `Depends`).
        prefix: of the addresses.
    """

    router: APIRouter
    service: Service
    found: Any
    prefix: str
