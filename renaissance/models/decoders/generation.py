"""Writing texts with a model that scores the next token: greedy, beam search, or sampling; many texts at once.

In: a `Continuation` (a decoder with its cache), the tokens that every text starts with, and how to choose. Out: the
tokens that each text goes on with, up to its end token.

Sources: top-k, Fan et al., 2018, https://arxiv.org/abs/1805.04833; top-p, Holtzman et al., 2020,
https://arxiv.org/abs/1904.09751; repetition penalty, Keskar et al., 2019, https://arxiv.org/abs/1909.05858;
length-normalised beam search, Sutskever et al., 2014, and Wu et al., 2016, https://arxiv.org/abs/1609.08144, section 7.

Shapes: B texts, K beams, T tokens so far, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from renaissance.settings.groups.tasks import CaptionSettings


class Continuation(Protocol):
    """A model part-way through R texts."""

    def advance(self, ids: Tensor) -> Tensor:
        """Take in further tokens (R, T); scores (R, V) of the token after them."""

    def select(self, rows: Tensor) -> None:
        """Go on with the texts `rows` (R',) long, in that order."""


@dataclass(frozen=True)
class Choice:
    """How the next token is chosen.

    Attributes:
        strategy: the best one, the best text of a beam search, or a random one.
        num_beams: texts that beam search keeps.
        top_k: sample from this many tokens; None for all.
        top_p: sample from the fewest tokens whose probabilities sum up to this.
        temperature: what scores are divided by before sampling.
        repetition_penalty: what the scores of tokens that are there already are divided by (multiplied, below 0).
        max_tokens: most tokens to write.
    """

    strategy: Literal["greedy", "beam", "sample"] = "greedy"
    num_beams: int = 1
    top_k: int | None = None
    top_p: float = 1.0
    temperature: float = 1.0
    repetition_penalty: float = 1.0
    max_tokens: int = 32

    @classmethod
    def of_settings(cls, settings: CaptionSettings, room: int) -> Choice:
        """The choice that the settings ask for, with room for so many tokens."""
        return cls(
            strategy=settings.generation_strategy,
            num_beams=settings.num_beams,
            top_k=settings.top_k,
            top_p=settings.top_p,
            temperature=settings.temperature,
            repetition_penalty=settings.repetition_penalty,
            max_tokens=min(settings.max_generated_tokens or room, room),
        )


@torch.no_grad()
def generate(
    model: Continuation,
    start: Tensor,
    choice: Choice,
    *,
    end_id: int,
    banned: Sequence[int] = (),
    streams: Sequence[np.random.Generator] = (),
) -> list[list[int]]:
    """Go on with texts.

    Args:
        model: has seen nothing of them yet.
        start: (B, T) long, the tokens that they begin with.
        choice: how to choose.
        end_id: the token that ends a text.
        banned: tokens that are never written.
        streams: B generators, one a text, for sampling: what is drawn does not depend on the other texts.

    Returns:
        for each text the tokens behind its start, without the end token.
    """
    written: list[list[int]] = [[] for _ in range(len(start))]
    for tokens in tokens_as_chosen(model, start, choice, end_id=end_id, banned=banned, streams=streams):
        for row, further in zip(written, tokens, strict=True):
            row += further
    return written


@torch.no_grad()
def tokens_as_chosen(
    model: Continuation,
    start: Tensor,
    choice: Choice,
    *,
    end_id: int,
    banned: Sequence[int] = (),
    streams: Sequence[np.random.Generator] = (),
) -> Iterator[list[list[int]]]:
    """Go on with texts, and give their tokens as soon as they are chosen; the arguments are those of `generate`.

    Yields:
        for each text the tokens that were added to it: one, or none where it has ended. Beam search knows a text when
        it is finished, so that all its tokens come at once.
    """
    never = [number for number in banned if number != end_id]
    if choice.strategy == "beam":
        yield _beam_search(model, start, choice, end_id, never)
        return
    ids = start
    scores = model.advance(start)
    ended = torch.zeros(len(start), dtype=torch.bool, device=start.device)
    for written in range(1, choice.max_tokens + 1):
        scores = _allowed(scores, ids, choice, end_id, never)
        token = scores.argmax(-1) if choice.strategy == "greedy" else _sample(scores, choice, streams)
        token = token.masked_fill(ended, end_id)
        ids = torch.cat((ids, token[:, None]), dim=1)
        ended |= token == end_id
        yield [[] if number == end_id else [number] for number in token.tolist()]
        if bool(ended.all()) or written == choice.max_tokens:
            break
        scores = model.advance(token[:, None])


def _allowed(scores: Tensor, ids: Tensor, choice: Choice, end_id: int, never: Sequence[int]) -> Tensor:
    """Scores (R, V) behind texts `ids` (R, T): repeated tokens penalised, banned ones at minus infinity.

    The end token repeats nothing, also where texts begin with the same one, as GPT-2's do.
    """
    scores, end = scores.float(), scores[:, end_id].float()
    scores = penalise_repetition(scores, ids, choice.repetition_penalty)
    scores[:, end_id] = end
    scores[:, list(never)] = float("-inf")
    return scores


def penalise_repetition(scores: Tensor, ids: Tensor, penalty: float) -> Tensor:
    """Scores (R, V), those of tokens in `ids` (R, T) divided by `penalty`, or multiplied where they are negative."""
    there = scores.gather(1, ids)
    return scores.scatter(1, ids, torch.where(there < 0, there * penalty, there / penalty))


def keep_top_k(scores: Tensor, count: int | None) -> Tensor:
    """Scores (R, V) with all but the `count` highest of a row at minus infinity."""
    if count is None or count >= scores.shape[-1]:
        return scores
    least = scores.topk(count).values[:, -1:]
    return scores.masked_fill(scores < least, float("-inf"))


def keep_top_p(scores: Tensor, share: float) -> Tensor:
    """Scores (R, V) with all but the fewest tokens whose probabilities reach `share` at minus infinity."""
    if share >= 1:
        return scores
    ordered, order = scores.sort(descending=True)
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities  # of the more probable tokens; the first one always stays
    ordered = ordered.masked_fill(before >= share, float("-inf"))
    return torch.empty_like(scores).scatter_(1, order, ordered)


def _sample(scores: Tensor, choice: Choice, streams: Sequence[np.random.Generator]) -> Tensor:
    """(R,) a token of each row, drawn by the row's own generator."""
    kept = keep_top_p(keep_top_k(scores / choice.temperature, choice.top_k), choice.top_p)
    cumulative = kept.double().softmax(-1).cumsum(-1)
    drawn = torch.tensor([stream.random() for stream in streams], dtype=torch.float64, device=scores.device)
    # Scaled to the sum that rounding left, so that a draw near 1 does not fall behind the last possible token.
    return torch.searchsorted(cumulative, drawn[:, None] * cumulative[:, -1:], right=True).squeeze(1)


class _Best:
    """The best finished text so far of each of B, by its mean log-probability a token."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.scores = torch.full((count,), float("-inf"), device=device)
        self.ids: list[list[int]] = [[] for _ in range(count)]

    def offer(self, scores: Tensor, ids: Tensor) -> None:
        """Take in candidates: scores (B, K), and what each wrote, (B, K, T)."""
        best, beam = scores.max(dim=1)
        for row in (best > self.scores).nonzero().flatten().tolist():
            self.scores[row] = best[row]
            self.ids[row] = ids[row, beam[row]].tolist()


def _beam_search(
    model: Continuation, start: Tensor, choice: Choice, end_id: int, never: Sequence[int]
) -> list[list[int]]:
    """The text of highest mean log-probability a token (the end token counts) that K beams find.

    A beam may end at every step without giving up its place, and a text is searched until none of its beams can
    become better than its best finished one: with enough beams the search is exhaustive.
    """
    texts, beams, device = len(start), choice.num_beams, start.device
    model.select(torch.arange(texts, device=device).repeat_interleave(beams))
    ids = start.repeat_interleave(beams, dim=0)  # (B K, T)
    scores = model.advance(ids)
    # The beams of a text begin alike; all but the first count from its second token on.
    totals = torch.full((texts, beams), float("-inf"), device=device)
    totals[:, 0] = 0
    best = _Best(texts, device)
    for length in range(1, choice.max_tokens + 1):
        chances = _allowed(scores, ids, choice, end_id, never).log_softmax(-1).view(texts, beams, -1)
        candidates = totals[:, :, None] + chances  # (B, K, V)
        written = ids[:, start.shape[1] :].view(texts, beams, -1)
        best.offer(candidates[:, :, end_id] / length, written)
        candidates[:, :, end_id] = float("-inf")
        totals, place = candidates.flatten(1).topk(beams, dim=1)  # (B, K)
        beam, token = place // candidates.shape[-1], place % candidates.shape[-1]
        rows = (torch.arange(texts, device=device)[:, None] * beams + beam).flatten()
        ids = torch.cat((ids[rows], token.view(-1, 1)), dim=1)
        if length == choice.max_tokens:
            best.offer(totals / length, ids[:, start.shape[1] :].view(texts, beams, -1))
        # Log-probabilities only fall: at most, a beam keeps its sum over the longest text.
        if bool((best.scores >= totals.max(dim=1).values / choice.max_tokens).all()):
            break
        if length < choice.max_tokens:
            model.select(rows)
            scores = model.advance(token.view(-1, 1))
    return best.ids
