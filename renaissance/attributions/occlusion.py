"""Occlusion: how much less a model holds to its answer where a patch of a picture, or a word of a text, is covered.

A patch is covered with the mean colour, which is zero after normalisation; a word is replaced by the mask token, where
the tokenizer has one, each of its pieces by one, and otherwise left out. The value is the fall of the answer's
log-odds (of a caption its log-probability, of a similarity itself): above 0 where the answer rests on what was
covered, below 0 where that spoke against it. It looks at nothing inside the model, so it tells of any model what it
computed. What two places say alike it does not show: with one of them covered, the other still says it.

Sources: Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 4.2, for patches; words likewise, Li, Monroe
and Jurafsky, 2016, https://arxiv.org/abs/1612.08220; log-odds rather than the probability, which hardly moves where a
model is sure, Robnik-Šikonja and Kononenko, 2008, https://doi.org/10.1109/TKDE.2007.190734.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import torch
from tqdm import tqdm

from renaissance.attributions.attribution import Attribution, Word
from renaissance.attributions.patches import cells_of, grid_side, region_of
from renaissance.attributions.subject import WHOLE, Subject, Variant, chosen_task
from renaissance.attributions.written import words_written
from renaissance.data.text.words import TokenisedWord
from renaissance.inference.alone import PATIENCE_SECONDS
from renaissance.inference.inputs import Example
from renaissance.inference.model import Model
from renaissance.tasks.common.claim import Claim, Target

MOST_PATCHES = 196  # cells tried of a picture: 14 x 14, the grid of a ViT at 224 pixels
MOST_WORDS = 200  # words, or runs of words, tried of an example
BATCH_SIZE = 32


@torch.no_grad()
def occlusion(
    model: Model,
    example: Example,
    task: str | None = None,
    target: Target | None = None,
    *,
    most_patches: int = MOST_PATCHES,
    most_words: int = MOST_WORDS,
    batch_size: int = BATCH_SIZE,
) -> Attribution:
    """What an answer loses where each patch and each word is covered.

    Example:
        >>> found = occlusion(model, {"image": "scene.png", "text": "a red circle"}, task="itm")
        >>> found.target, max(found.words, key=lambda word: word.value).text
        ('match', 'red')

    Args:
        model: the trained model.
        example: what the task reads, as for `predict`.
        task: one of the model's; None where the example fits one alone.
        target: the answer to ask for: a class, a word, a caption, the number of a box; None for the model's own.
        most_patches: cells of a picture that are tried; a finer grid is made coarser, and a note says so.
        most_words: words that are tried; of a longer text runs of words are covered together, and a note says so.
        batch_size: variants at once.

    Returns:
        values of all patches and words. Of a caption, the words are its own, each with what the picture as a whole
        adds to its log-probability.

    Raises:
        UserError: naming the field at fault; or the task does not say how strongly it holds to an answer.
    """
    subject = Subject(model, chosen_task(model, task, example), example)
    first = subject.step([WHOLE])
    claim = subject.task.claim(first, target)
    score = float(claim.strength(first)[0])
    pictures = subject.pictures(claim.image_rows) if subject.task.needs.image else []
    cut = [cells_of(grid_side(subject, one), model.settings.image_size, most_patches) for one in pictures]
    runs, long = _runs(subject.reading.words if subject.reading else [], most_words)
    places = zip(pictures, cut, strict=True)
    variants = [Variant(picture, square) for picture, (squares, _) in places for row in squares for square in row]
    variants += [Variant(columns=tuple(column for word in run for column in word.columns)) for run in runs]
    falls = iter(_falls(subject, claim, score, variants, batch_size))
    notes = tuple(note for note in dict.fromkeys((*(note for _, note in cut), long, _covers(subject))) if note)
    name = subject.task.name
    found = Attribution(name, "occlusion", claim.answer, claim.probability(score), score, claim.unit, notes=notes)
    for picture, (squares, _) in zip(pictures, cut, strict=True):
        found.patches[picture.field] = [[next(falls) for _ in row] for row in squares]
        found.regions[picture.field] = region_of(subject, picture)
    for run in runs:
        assert subject.reading is not None
        fall = next(falls)
        found.words.extend(subject.reading.word(word, fall) for word in run)
    found.words.extend(_written(subject, claim))
    return found


def _falls(subject: Subject, claim: Claim, score: float, variants: Sequence[Variant], batch_size: int) -> list[float]:
    """By how much each variant's strength is below the whole example's."""
    falls: list[float] = []
    starts = range(0, len(variants), batch_size)
    for start in tqdm(starts, desc="occlusion", unit="batch", disable=None, leave=False, delay=PATIENCE_SECONDS):
        strengths = claim.strength(subject.step(variants[start : start + batch_size]))
        falls += (score - strengths.double()).tolist()
    return falls


def _runs(words: Sequence[TokenisedWord], most: int) -> tuple[list[list[TokenisedWord]], str]:
    """The words in runs that are covered together, as few a run as `most` runs allow; and what to say of it."""
    together = max(ceil(len(words) / most), 1)
    runs = [list(words[start : start + together]) for start in range(0, len(words), together)]
    note = f"The text is long: {together} words are covered together, and share their value." if together > 1 else ""
    return runs, note


def _written(subject: Subject, claim: Claim) -> list[Word]:
    """Of a text that was written its words, each with what the picture as a whole adds to its log-probability."""
    if claim.by_token is None:
        return []
    side = subject.model.settings.image_size
    (picture,) = subject.pictures(None)
    whole, without = claim.by_token(subject.step([WHOLE, Variant(picture, (0, side, 0, side))]))
    return [
        Word("caption", claim.written[word.start : word.end], word.start, word.end, float(gain))
        for word in words_written(subject.model, claim)
        for gain in [(whole - without)[list(word.columns)].sum()]
    ]


def _covers(subject: Subject) -> str:
    """What is said of words that are covered; empty where none is read."""
    return "" if subject.reading is None else f"A word that is covered is {subject.reading.covers_with}."
