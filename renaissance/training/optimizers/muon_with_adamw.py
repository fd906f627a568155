"""One optimiser that is Muon on some parameter groups and AdamW on the others, both as PyTorch has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

from renaissance.training.optimizers.interface import ParameterGroups


class MuonWithAdamW(Optimizer):
    """Muon on groups whose "matrices" is true, AdamW on the others.

    The two work on this optimiser's own groups and state, so a schedule, a checkpoint and gradient clipping see one
    optimiser. Muon's steps are scaled to the size of AdamW's (`match_rms_adamw`, https://arxiv.org/abs/2502.16982),
    so that one learning rate, and one weight decay, serve both.

    Args:
        groups: each with "params", "lr", "weight_decay" and "matrices".
        lr: the learning rate where a group has none.
        momentum: of Muon's running mean of gradients.
        betas: decay rates of AdamW's two running means.
        eps: what AdamW adds to the denominator.
        fused: whether AdamW takes its fused form.
    """

    def __init__(
        self,
        groups: ParameterGroups,
        *,
        lr: float,
        momentum: float,
        betas: tuple[float, float],
        eps: float,
        fused: bool,
    ) -> None:
        super().__init__(groups, {"lr": lr})
        matrices = [group for group in self.param_groups if group["matrices"]]
        others = [group for group in self.param_groups if not group["matrices"]]
        # PyTorch's optimisers refuse to have no parameters.
        self._muon = Muon(matrices, lr, momentum=momentum, adjust_lr_fn="match_rms_adamw") if matrices else None
        self._adamw = AdamW(others, lr, betas=betas, eps=eps, fused=fused) if others else None
        self._share()

    def _share(self) -> None:
        """Have both work on this optimiser's groups and state."""
        for part, of_matrices in ((self._muon, True), (self._adamw, False)):
            if part is not None:
                part.state = self.state
                part.param_groups = [group for group in self.param_groups if group["matrices"] == of_matrices]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up a state; PyTorch puts new groups in place of the old ones when it loads one."""
        super().__setstate__(state)
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; gives what the closure gives, which computes the loss and the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in (self._muon, self._adamw):
            if part is not None:
                part.step()
        return loss
