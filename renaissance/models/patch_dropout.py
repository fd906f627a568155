"""Patch dropout: in training, an image encoder sees a random share of an image's patches only.

In: embeddings of images (B, P, D), with their positions added, so that every patch still says where it was. Out: those
of the patches that stay, which take as much less time. Whatever comes before the patches (a class position, registers)
always stays, and in evaluation all patches do. "Scaling Language-Image Pre-training via Masking", Li et al. 2023,
https://arxiv.org/abs/2212.00794.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from renaissance.errors import UserError

TOLERANCE = 1e-3  # of features about as large as 1, in 32 bits


class PatchDropout(nn.Module):
    """Keeps a random subset of each image's patches in training, in their order.

    The numbers are PyTorch's own, as dropout's are, so a batch draws the same however a run came to it.

    Args:
        rate: the share that is left out; of P - `before` patches at least one stays.
        before: positions before the first patch, which always stay.
    """

    def __init__(self, rate: float, before: int) -> None:
        super().__init__()
        self.rate = rate
        self.before = before

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, P, D) to (B, P', D)."""
        if not self.training or not self.rate:
            return hidden
        patches = hidden.shape[1] - self.before
        stay = max(1, round((1 - self.rate) * patches))
        drawn = torch.rand(len(hidden), patches, device=hidden.device)
        chosen = drawn.topk(stay, dim=1).indices.sort(dim=1).values + self.before
        return torch.cat((hidden[:, : self.before], rows(hidden, chosen)), dim=1)

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def rows(hidden: Tensor, chosen: Tensor) -> Tensor:
    """The positions `chosen` (B, N) long of (B, P, D), each image's own: (B, N, D)."""
    return hidden.gather(1, chosen[..., None].expand(-1, -1, hidden.shape[-1]))


@torch.no_grad()
def check_takes_some_patches(
    embed: Callable[[], Tensor], run: Callable[[Tensor], Tensor], before: int, what: str
) -> None:
    """Refuse an encoder whose layers have to know where in the sequence a patch stands.

    Tried on one image: what its layers make of patches in another order must be the same in that order, and they must
    take fewer of them. Swin's windows, BEiT's biases and DINOv3's rotary positions do not pass.

    Args:
        embed: gives the embeddings (1, P, D) of an image.
        run: what the layers make of embeddings (1, P', D): (1, P', D').
        before: positions before the first patch.
        what: the encoder, for the message.

    Raises:
        UserError: it is such an encoder.
    """
    fits = False
    try:
        hidden = embed()
        if hidden.is_meta:  # a sketch has no values to compare
            return
        if hidden.dim() == 3 and hidden.shape[1] > before + 1:
            order = torch.cat((torch.arange(before), torch.arange(before, hidden.shape[1]).flip(0))).to(hidden.device)
            in_order, turned, fewer = run(hidden), run(hidden[:, order]), run(hidden[:, :-1])
            same_size = turned.shape[:2] == hidden.shape[:2] and fewer.shape[1] == hidden.shape[1] - 1
            fits = same_size and torch.allclose(in_order[:, order], turned, atol=TOLERANCE)
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):  # whatever its code makes of fewer
        pass
    if not fits:
        raise UserError(
            f"patch_dropout: the layers of {what} have to know where a patch stands, so none can be left out. Take a "
            "ViT, DeiT, DINOv2 or the image encoder of a CLIP or SigLIP, or patch_dropout=0."
        )
