"""Renaissance: vision-language pretraining, fine-tuning and testing on one command line.

In Python, `renaissance.load(<checkpoint>)` gives a trained model (see `docs/python.md`). PyTorch and what else that
needs is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from renaissance.inference.model import Model, load

__version__ = "0.2.0"
__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("Model", "load"):
        from renaissance.inference import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
