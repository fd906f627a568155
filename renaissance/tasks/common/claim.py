"""What a task says of one example, and how strongly it holds to that when the example is altered.

Strengths are on a scale on which differences add up and do not vanish where a model is sure: log-odds of an answer
(0.9999 and 0.999 are 2.3 apart), the log-probability of a text, or a similarity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from renaissance.errors import UserError
from renaissance.tasks.common.step import Step

Unit = Literal["log-odds", "log-probability", "similarity"]
Target = str | int
SUREST = 60.0  # natural units: of one candidate alone the odds would be infinite
MOST_NAMED = 20  # candidates that a message names


@dataclass(frozen=True)
class Claim:
    """An answer to one example.

    Attributes:
        answer: in words.
        strength: of B variants of the example how strongly the task holds to that answer (B,), as `unit` says.
        unit: the scale of `strength`.
        image_rows: the rows of the example's `pixels` that the answer is about; None for all.
        written: the text that the answer is, where the task writes; empty otherwise.
        by_token: of a written text the log-probability (B, T) of each of its T tokens; None of other answers.
    """

    answer: str
    strength: Callable[[Step], Tensor]
    unit: Unit = "log-odds"
    image_rows: tuple[int, ...] | None = None
    written: str = ""
    by_token: Callable[[Step], Tensor] | None = None

    def probability(self, strength: float) -> float | None:
        """The probability that a strength stands for; None of a similarity."""
        if self.unit == "similarity":
            return None
        if self.unit == "log-probability":
            return math.exp(min(strength, 0.0))
        return 1 / (1 + math.exp(-strength)) if strength >= 0 else math.exp(strength) / (1 + math.exp(strength))


def log_odds(scores: Tensor, chosen: int) -> Tensor:
    """The log-odds (B,) of a candidate under a softmax of scores (B, C), at most SUREST either way.

    Where it is the only candidate, they are SUREST whatever the scores.
    """
    others = torch.cat((scores[:, :chosen], scores[:, chosen + 1 :]), dim=1).float()
    return (scores[:, chosen].float() - others.logsumexp(dim=1)).clamp(-SUREST, SUREST)


def among(target: Target, names: Sequence[str], task: str) -> int:
    """The number of the candidate that a user named.

    Args:
        target: its name, or its number from 0 where no candidate has that for a name.
        names: the candidates.
        task: for messages.

    Raises:
        UserError: there is none of that name.
    """
    if str(target) in names:
        return list(names).index(str(target))
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(names):
        return target
    shown = ", ".join(names[:MOST_NAMED]) + (
        f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    )
    raise UserError(f"target={target!r}: {task} has no such answer. It has {shown}.")
