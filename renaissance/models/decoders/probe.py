"""Whether a language model does what a captioner's decoder must, tried out on a short text.

Names of architectures do not tell, nor do the names of its weights: what counts is that it attends to the context, and
writes token by token what it writes at once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from renaissance.errors import UserError
from renaissance.models.decoders.interface import Decoder
from renaissance.models.interface import Features
from renaissance.models.towers.probe import SHORTER, TOLERANCE


def try_decoder(decoder: Decoder, name: str, vocab_size: int, size: int, longest: int) -> None:
    """Run a decoder on a short text: with a cache and without, with another last token, and with another context.

    Args:
        decoder: the decoder.
        name: how messages call it.
        vocab_size: V, numbers that a token may have.
        size: D, width of the context.
        longest: tokens of the longest text to come.

    Raises:
        UserError: it fails, a token sees the one behind it, none sees the context, or it forgets.
    """
    training = decoder.training
    decoder.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        ids = torch.randint(vocab_size, (1, min(SHORTER, longest)))
        changed = torch.cat((ids[:, :-1], (ids[:, -1:] + 1) % vocab_size), dim=1)
        there = torch.ones(1, 2, dtype=torch.bool)
        context, other = (Features(torch.randn(1, 2, size), there) for _ in range(2))
        cache = decoder.new_cache()
        try:
            whole, behind, seen = decoder(ids, context), decoder(changed, context), decoder(ids, other)
            cached = [decoder(part, context, cache) for part in (ids[:, :-1], ids[:, -1:])]
        except Exception as error:  # whatever another's model code does with what it was not made for
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(f"{name} cannot be used as a decoder: it fails on a text: {reason}") from error
    decoder.train(training)
    faults = {
        "its tokens see the ones behind them": not _alike(whole[:, :-1], behind[:, :-1]),
        "it does not see what it is to attend to": torch.equal(whole, seen),
        "token by token it does not write what it does at once": not _alike(whole, torch.cat(cached, dim=1)),
    }
    for fault, found in faults.items():
        if found:
            raise UserError(f"{name} cannot be used as a decoder: {fault}. Take one such as gpt2 or bert-base-uncased.")


def _alike(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, atol=TOLERANCE, rtol=TOLERANCE)
