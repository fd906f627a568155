"""Masked language modelling: name the words that were hidden, with the image in view.

Of all tokens `mlm_prob` are to be predicted, and of every text at least one: of these 80 % are replaced by the mask
token, 10 % by a random token and 10 % stay as they are. With `whole_word_masking` words are chosen, and all tokens of a
chosen word are predicted. Since a text of n words would have none with probability (1 - p)^n, a share of
p + (1 - p)^n / n of its words is predicted: 0.170 instead of 0.15 of the scenes' captions, with their 10 words.

Source: BERT, Devlin et al., 2019, https://arxiv.org/abs/1810.04805, section 3.1; with images ViLT, Kim et al., 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch
from renaissance.data.batches.collate import Collate
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.interface import Examples
from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.words import words_of
from renaissance.errors import UserError
from renaissance.models.interface import Output
from renaissance.models.layers.heads import MlmHead
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target, log_odds
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Input, Question, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration

MASKED_SHARE, RANDOM_SHARE = 0.8, 0.1  # of the tokens to be predicted; the rest keep their token
CANDIDATES = 5  # words that are told of a hidden token


@dataclass(frozen=True)
class MaskWords:
    """Which tokens of a batch are hidden.

    Attributes:
        probability: share of the words (or tokens) to be predicted.
        whole_words: choose words rather than tokens.
        mask_id: the mask token's number.
        random_ids: (K,) the numbers that a random token is drawn from: the vocabulary without special tokens.
    """

    probability: float
    whole_words: bool
    mask_id: int
    random_ids: np.ndarray

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw the masks.

        Args:
            batch: B examples.
            fetch: not used.
            streams: B generators, one an example.

        Returns:
            "row" and "column": (M,) long, where the M hidden tokens lie; "replacement": (M,) long, what stands there
            instead; "target": (M,) long, what they were.
        """
        assert batch.tokens is not None
        ids, words = batch.tokens.ids.numpy(), batch.tokens.words.numpy()
        rows, columns, instead = [], [], []
        for row, stream in enumerate(streams):
            hidden = self._hidden(words[row], stream)
            fate = stream.random(len(hidden))
            drawn = stream.choice(self.random_ids, size=len(hidden))
            kept = np.where(fate < MASKED_SHARE + RANDOM_SHARE, drawn, ids[row, hidden])
            instead.append(np.where(fate < MASKED_SHARE, self.mask_id, kept))
            rows.append(np.full(len(hidden), row))
            columns.append(hidden)
        row_of, column_of, replacement = (torch.from_numpy(np.concatenate(each)) for each in (rows, columns, instead))
        return {
            "row": row_of,
            "column": column_of,
            "replacement": replacement,
            "target": batch.tokens.ids[row_of, column_of],
        }

    def _hidden(self, words: np.ndarray, stream: np.random.Generator) -> np.ndarray:
        """(K,) the columns to be predicted, of a text whose word numbers are `words` (L,), -1 at special tokens.

        At least one, where there is a token that may be hidden. As many numbers are drawn as the text has words or
        tokens, whatever its batch was padded to, so the draw is the same in any batch.
        """
        maskable = np.flatnonzero(words >= 0)
        unit = words[maskable] if self.whole_words else np.arange(len(maskable))  # what each token is chosen with
        is_chosen = stream.random(int(unit.max(initial=-1)) + 1) < self.probability
        if len(unit) and not is_chosen[unit].any():
            is_chosen[stream.choice(np.unique(unit))] = True
        return maskable[is_chosen[unit]]


class MaskedLanguageModellingTask(Task):
    """Cross-entropy over the vocabulary, at the hidden tokens only."""

    kind = "words"

    outputs: frozenset[Output] = frozenset(("text",))

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        assert context.text is not None
        if not context.model.hidden_size:
            raise UserError(
                "mlm names hidden words with the image in view, but with "
                f"model_type={context.settings.model_type!r} no word sees the image: the sides meet as one vector "
                "each. Take two-tower or one-tower, or a task on the whole pair, such as itm."
            )
        self.text = context.text
        self.head = MlmHead(context.model.hidden_size, context.text.vocab_size)

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        assert text is not None
        random_ids = np.setdiff1d(np.arange(text.vocab_size), np.fromiter(text.special_ids, dtype=np.int64))
        return MaskWords(settings.mlm_prob, settings.whole_word_masking, text.mask_id, random_ids)

    @classmethod
    def collate_inputs(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None
    ) -> Collate | None:
        return None

    def items(self, batch: Batch) -> int:
        return len(batch.collated[self.name]["target"])

    def forward(self, step: Step) -> Outcome:
        hidden = step.batch.collated[self.name]
        logits = self.logits(step, hidden)
        losses = F.cross_entropy(logits.float(), hidden["target"], reduction="none")
        correct = (logits.argmax(-1) == hidden["target"]).float()
        return Outcome({"loss": losses, "accuracy": correct})

    def logits(self, step: Step, hidden: Mapping[str, Tensor]) -> Tensor:
        """Scores (M, V) of the words at the M hidden tokens, "row" and "column", where "replacement" stands instead."""
        tokens = step.batch.tokens
        assert tokens is not None
        rows = step.batch.examples
        ids = tokens.ids[:rows].index_put((hidden["row"], hidden["column"]), hidden["replacement"])
        masked = tokens.map(lambda tensor: tensor[:rows]).with_ids(ids)
        fused = step.fuse(step.encode_text(masked), step.image, outputs=self.outputs)
        assert fused.text is not None
        logits: Tensor = self.head(fused.text[hidden["row"], hidden["column"]])
        return logits

    def inputs(self) -> tuple[Input, ...]:
        text = Input("text", "a text with the mask token, [MASK], at each place where a word is to be named", "text")
        return tuple(text if given.field == "text" else given for given in super().inputs())

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """Of each hidden token the likeliest "words", with their probabilities; and the "text" with the best of them.

        Hidden is what was drawn, or where nothing was, the mask tokens that the texts hold.
        """
        assert step.batch.tokens is not None
        ids = step.batch.tokens.ids[: step.batch.examples]
        hidden = step.batch.collated.get(self.name) or self._mask_tokens(ids)
        probabilities = self.logits(step, hidden).float().softmax(-1)
        probabilities[:, sorted(self.text.special_ids)] = 0  # no words
        best, numbers = probabilities.topk(min(CANDIDATES, probabilities.shape[1]))  # (M, K)
        filled = ids.index_put((hidden["row"], hidden["column"]), numbers[:, 0])
        answers: list[dict[str, Any]] = [{"text": self.text.decode(row), "words": []} for row in filled.tolist()]
        for row, chances, words in zip(hidden["row"].tolist(), best.tolist(), numbers.tolist(), strict=True):
            answers[row]["words"].append(
                [
                    {"word": self.text.decode([word]).strip(), "probability": chance}
                    for word, chance in zip(words, chances, strict=True)
                ]
            )
        return answers

    def question(self, examples: Examples, index: int) -> Question:
        """The longest of the text's words that are one token is hidden, and is the right answer."""
        whole = super().question(examples, index)
        text = whole.example["text"]
        words = words_of([text], self.text.characters(text), self.text.mask_token)
        single = [word for word in words if len(word.columns) == 1]
        if not single:
            return whole
        hidden = max(single, key=lambda word: word.end - word.start)
        masked = text[: hidden.start] + self.text.mask_token + text[hidden.end :]
        return replace(whole, example={**whole.example, "text": masked}, right=text[hidden.start : hidden.end])

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """The likeliest word at the first mask token, or the word asked for, by its log-odds.

        Raises:
            UserError: the text has no mask token, or the word is not one token of the vocabulary.
        """
        assert step.batch.tokens is not None
        hidden = self._mask_tokens(step.batch.tokens.ids[:1])
        if not len(hidden["column"]):
            raise UserError(f"{self.name}: the text has no [MASK], at whose place a word is to be named.")
        column = int(hidden["column"][0])
        number = self._likeliest(step, column) if target is None else self._number_of(target)

        def strength(variants: Step) -> Tensor:
            return log_odds(self._at(variants, column), number)

        return Claim(self.text.decode([number]).strip(), strength)

    def _at(self, step: Step, column: int) -> Tensor:
        """Scores (B, V) of the words at one column of each text, where the mask token stands."""
        row = torch.arange(step.batch.examples, device=step.batch.index.device)
        instead = torch.full_like(row, self.text.mask_id)
        return self.logits(step, {"row": row, "column": torch.full_like(row, column), "replacement": instead})

    def _likeliest(self, step: Step, column: int) -> int:
        scores = self._at(step, column)[0].float()
        scores[sorted(self.text.special_ids)] = -torch.inf  # no words
        return int(scores.argmax())

    def _number_of(self, word: Target) -> int:
        """The token that a word is.

        Raises:
            UserError: it is none, or several.
        """
        ((ids, _),) = self.text.encode([str(word)])
        own = [number for number in ids.tolist() if number not in self.text.special_ids]
        if len(own) != 1:
            what = f"{len(own)} tokens" if own else "no token"
            raise UserError(f"target={word!r}: is {what} of this model's vocabulary; {self.name} names one at a time.")
        return int(own[0])

    def _mask_tokens(self, ids: Tensor) -> dict[str, Tensor]:
        """Where the texts (B, L) hold the mask token."""
        row, column = (ids == self.text.mask_id).nonzero(as_tuple=True)
        return {"row": row, "column": column, "replacement": ids[row, column]}
