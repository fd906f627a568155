"""The losses of contrastive learning, from the features of N pairs, with what is no negative left out.

Two pairs of a batch may say the same: captions of one image, or one caption of two images. As negatives of each other
they would be driven apart for being right; small data with several captions an image are full of them. They are
neither negatives nor further positives: such a pair is left out of the denominators (of the sums, with a sigmoid), and
each pair keeps its own partner as the only one to find. So the loss can come down to 0, and without such pairs it is
CLIP's, or SigLIP's, to the last digit.

Source of leaving them out, where it is called elimination: Huynh et al., 2022, https://arxiv.org/abs/2011.11765.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def stand_together(text_id: Tensor, image_id: Tensor) -> Tensor:
    """Which texts are known to belong to which images.

    Text i belongs to image j where some of the N pairs consists of a text like i and an image like j: so where the two
    are of one image, where they have one caption, and where a third pair tells.

    Args:
        text_id: (N,) long, equal for equal captions.
        image_id: (N,) long, equal for equal images.

    Returns:
        (N, N) bool, texts by images; True on the diagonal.
    """
    texts, text = text_id.unique(return_inverse=True)
    images, image = image_id.unique(return_inverse=True)
    known = torch.zeros(len(texts), len(images), dtype=torch.bool, device=text_id.device)
    known[text, image] = True
    return known[text][:, image]


def softmax_losses(logits: Tensor, left_out: Tensor | None = None) -> Tensor:
    """CLIP's symmetric InfoNCE: cross-entropy over the rows and over the columns, halved (N,).

    Source: CLIP, Radford et al., 2021, https://arxiv.org/abs/2103.00020, figure 3.

    Args:
        logits: (N, N) texts by images, scaled similarities; pairs that are right on the diagonal.
        left_out: (N, N) bool, pairs that are no negatives; None where all but the diagonal are.
    """
    if left_out is not None:
        logits = logits.masked_fill(left_out, -torch.inf)
    own = torch.arange(len(logits), device=logits.device)
    of_texts = F.cross_entropy(logits, own, reduction="none")
    of_images = F.cross_entropy(logits.T, own, reduction="none")
    return (of_texts + of_images) / 2


def sigmoid_losses(logits: Tensor, left_out: Tensor | None = None) -> Tensor:
    """SigLIP's loss: of every pair whether it is right, summed over the pairs of each text (N,).

    Source: SigLIP, Zhai et al., 2023, https://arxiv.org/abs/2303.15343, algorithm 1.

    Args:
        logits: (N, N) texts by images, scaled similarities with the bias; pairs that are right on the diagonal.
        left_out: (N, N) bool, pairs that are no negatives; None where all but the diagonal are.
    """
    sign = 2 * torch.eye(len(logits), dtype=logits.dtype, device=logits.device) - 1
    losses = -F.logsigmoid(sign * logits)
    return (losses if left_out is None else losses.masked_fill(left_out, 0)).sum(dim=1)
