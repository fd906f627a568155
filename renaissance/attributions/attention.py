"""Attention: which patches of a picture, and which other words, a word looks at.

    what the task does                            weights                                    the row
    text and image meet in a cross-modal encoder  its last layer's cross-attention           the word's
    text and image in one transformer             rollout over all layers                    the word's
    a decoder writes                              its last layer's cross-attention           that which writes the word
    one modality alone                            rollout over its encoder's layers          the pooled positions'

Weights are means over the heads. Rollout multiplies the layers' weights, with half of each for the residual connection
(Abnar and Zuidema, 2020, https://arxiv.org/abs/2005.00928). Attention shows where a model looks, not that its answer
rests on it (Jain and Wallace, 2019, https://arxiv.org/abs/1902.10186): occlusion tells that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from renaissance.attributions.attribution import Attribution, Word
from renaissance.attributions.looking import Look, look_alone, look_of_decoder, look_of_pairs
from renaissance.attributions.patches import as_grid, grid_side, region_of
from renaissance.attributions.subject import WHOLE, Picture, Subject, chosen_task
from renaissance.attributions.written import words_written
from renaissance.data.text.words import TokenisedWord
from renaissance.errors import UserError
from renaissance.inference.inputs import Example
from renaissance.inference.model import Model
from renaissance.tasks.common.claim import Claim
from renaissance.tasks.common.step import Step

Located = Callable[[TokenisedWord, float], Word]  # makes a word with a value


@torch.no_grad()
def attention(model: Model, example: Example, task: str | None = None, word: int | None = None) -> Attribution:
    """Where a word looks.

    Example:
        >>> found = attention(model, {"image": "scene.png", "text": "a red circle"}, task="itm", word=2)

    Args:
        model: the trained model; nothing else may compute on it meanwhile.
        example: what the task reads, as for `predict`.
        task: one of the model's; None where the example fits one alone.
        word: its number among the `words` of what comes out, from 0; None for the position that the answer is read
            from, of a caption for the mean of all its words.

    Returns:
        shares of attention by patch, and by word. What special tokens and class positions get is in neither.

    Raises:
        UserError: naming the field at fault; or the model has no such attention to give.
    """
    subject = Subject(model, chosen_task(model, task, example), example)
    step = subject.step([WHOLE])
    claim = subject.task.claim(step)
    sides = subject.task.sides(subject.task.declaration, model.settings)
    words, located = _words(subject, claim)
    chosen = _chosen(words, word)
    pictures = subject.pictures(claim.image_rows) if subject.task.needs.image else []
    if sides.decoder:
        columns = [column for one in words for column in one.columns] if chosen is None else chosen.columns
        look = look_of_decoder(subject, claim, step, columns)
    elif sides.fused:
        look = look_of_pairs(subject, step, pictures, None if chosen is None else chosen.columns)
    else:
        look = look_alone(subject, step, pictures, None if chosen is None else chosen.columns)
    return _attribution(subject, claim, step, look, pictures, [located(one, _sum(look.text, one)) for one in words])


def _words(subject: Subject, claim: Claim) -> tuple[list[TokenisedWord], Located]:
    """The words that can look: those that were written, or those that were read."""
    if claim.written:
        text = claim.written
        return words_written(subject.model, claim), lambda one, value: Word(
            "caption", text[one.start : one.end], one.start, one.end, value
        )
    if subject.reading is None:
        return [], lambda one, value: Word("", "", 0, 0, value)
    return subject.reading.words, subject.reading.word


def _chosen(words: Sequence[TokenisedWord], word: int | None) -> TokenisedWord | None:
    if word is None:
        return None
    if isinstance(word, bool) or not isinstance(word, int) or not 0 <= word < len(words):
        there = f"a number from 0 to {len(words) - 1}" if words else "no number: there are no words"
        raise UserError(f"word={word!r}: must be {there}.")
    return words[word]


def _sum(weights: Tensor | None, word: TokenisedWord) -> float:
    return 0.0 if weights is None else float(weights[list(word.columns)].sum())


def _attribution(
    subject: Subject, claim: Claim, step: Step, look: Look, pictures: Sequence[Picture], words: list[Word]
) -> Attribution:
    score = float(claim.strength(step)[0])
    name, notes = subject.task.name, (look.meaning,)
    found = Attribution(
        name, "attention", claim.answer, claim.probability(score), score, "share", words=words, notes=notes
    )
    for picture, weights in zip(pictures, look.images, strict=True):
        side = grid_side(subject, picture)
        if side is None:
            raise UserError(f"{name}: the positions of its image encoder are no square grid. Take occlusion.")
        found.patches[picture.field] = as_grid(weights[-side * side :].tolist(), side)
        found.regions[picture.field] = region_of(subject, picture)
    return found
