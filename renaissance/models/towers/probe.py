"""Whether a text encoder does what a text tower must, tried out on short texts.

In: a tower that was built from scratch. Out: a note where texts are not independent of each other's padding, or an
error with the reason. Names of architectures do not tell: transformers knows hundreds, among them decoders, models
that do not heed the mask, and models that need more than token numbers.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from renaissance.data.batches.batch import Tokens
from renaissance.errors import UserError

TOLERANCE = 1e-3  # of features about 1 in size: fused kernels order sums by what the mask leaves
SHORT, SHORTER = 9, 5  # tokens of the texts; odd numbers, which no window divides


def try_text_encoder(tower: nn.Module, name: str, vocab_size: int, pad_id: int, longest: int) -> list[str]:
    """Run a copy of a text tower (a model may change its way of attending with the texts it sees) on two texts.

    Args:
        tower: takes `Tokens`, hands out `Features`.
        name: how messages call the encoder.
        vocab_size: V, numbers that a token may have.
        pad_id: the padding token's number.
        longest: tokens of the longest text to come.

    Returns:
        What the user should know.

    Raises:
        UserError: it fails, its features are not a vector a token, or a token does not see the one behind it.
    """
    probed = copy.deepcopy(tower).eval()
    length, shorter = min(SHORT, longest), min(SHORTER, longest)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        mask = torch.arange(length) < torch.tensor([[length], [shorter]])
        ids = torch.randint(vocab_size, mask.shape)
        ids[1] = torch.where(mask[1], (pad_id + torch.arange(1, length + 1)) % vocab_size, pad_id)
        changed = ids.clone()
        changed[1, 1] = (ids[1, 1] + 1) % vocab_size
        hidden = _features(probed, ids, mask, name)
        _check_sees(hidden[1, :shorter], _features(probed, changed, mask, name)[1, :shorter], name)
        alone = _features(probed, ids[1:, :shorter], mask[1:, :shorter], name)
    if torch.allclose(hidden[1, :shorter], alone[0], atol=TOLERANCE, rtol=TOLERANCE):
        return []
    return [f"{name} does not leave out padding: a text's features depend on how long the others of its batch are"]


def _check_sees(hidden: Tensor, changed: Tensor, name: str) -> None:
    """Compare a text's features (L, D) with those under another second token.

    Raises:
        UserError: its first token does not see that.
    """
    if not torch.equal(hidden[0], changed[0]):
        return
    if torch.equal(hidden[2:], changed[2:]):
        raise UserError(
            f"{name} cannot be used as a text encoder in these dimensions: none of its tokens sees another. "
            f"Its hidden states are {hidden.shape[-1]} wide; give it more width, or take another encoder."
        )
    raise UserError(
        f"{name} is not a text encoder: its tokens do not see the ones behind them, as in a decoder. "
        "Take an encoder such as bert, roberta or longformer."
    )


def try_longest_text(tower: nn.Module, name: str, longest: int) -> None:
    """Run a copy of a text tower on one text of the greatest length.

    Raises:
        UserError: it fails.
    """
    ids = torch.zeros(1, longest, dtype=torch.long)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        where = f"{name} with max_text_len = {longest}"
        _features(copy.deepcopy(tower).eval(), ids, torch.ones_like(ids, dtype=torch.bool), where)


def _features(tower: nn.Module, ids: Tensor, mask: Tensor, name: str) -> Tensor:
    """(B, L, D), or an error that says why there are none."""
    try:
        hidden: Tensor = tower(Tokens(ids, mask, torch.zeros_like(ids))).hidden
    except Exception as error:  # whatever another's model code does with what it was not made for
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{name} cannot be used as a text encoder: it fails on a text: {reason}") from error
    if hidden.dim() != 3 or hidden.shape[:2] != ids.shape:
        raise UserError(f"{name} cannot be used as a text encoder: it does not give a vector for each token.")
    return hidden
