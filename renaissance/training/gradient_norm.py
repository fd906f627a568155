"""The norm of an optimiser step's gradient, for `pace.csv`. Clipping goes through it, so it costs no second pass."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


class GradientNorm:
    """The norm of an optimiser step's gradient over all parameters, before it is clipped.

    Clipping computes it in any case. Without clipping it is computed at points of the curves alone. It stays on the
    device until it is asked for.
    """

    def __init__(self) -> None:
        self._norm: Tensor | None = None

    @property
    def value(self) -> float | None:
        """That of the newest step that was looked at; None where the step had no gradient. Waits for the device."""
        return None if self._norm is None else float(self._norm)

    def forget(self) -> None:
        """Of a step whose gradient cannot be told, such as one that the optimiser will unscale itself."""
        self._norm = None

    def look(self, parameters: Iterable[nn.Parameter]) -> None:
        """Compute it of whole gradients, as they are before an optimiser's step."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self._norm = nn.utils.get_total_norm(gradients) if gradients else None

    def clip(self, parameters: Iterable[nn.Parameter], longest: float) -> None:
        """Clip the gradients to a norm, and keep the one that they had."""
        having = [parameter for parameter in parameters if parameter.grad is not None]
        self._norm = nn.utils.clip_grad_norm_(having, longest) if having else None
