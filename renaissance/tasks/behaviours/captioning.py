"""Captioning: write what a picture shows, token by token.

A causal decoder attends to the image's features. With `caption_prefix_encoder` a caption is cut in two at a random
place: a text encoder reads the first part, which the decoder attends to beside the image, and the decoder, which is
given the last token of it only, writes the rest, which alone counts. So the text encoder has to understand what was
said so far. Often enough the first part is empty (a mere start token), so the model also writes whole captions.

Metrics: loss and accuracy a token, perplexity; on a split, of captions generated for whole images, BLEU, ROUGE-L and
CIDEr-D against all references of an image.

Source: Vinyals et al., 2015, https://arxiv.org/abs/1411.4555; with transformers, Li et al., 2022 (BLIP).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.collate import Collate
from renaissance.data.batches.fetch import Fetch
from renaissance.data.examples.interface import Examples
from renaissance.data.streams import stream
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.models.decoders.generation import Choice, generate, tokens_as_chosen
from renaissance.models.decoders.interface import DecoderState, decoder_of
from renaissance.models.interface import Features, Sides, VisionLanguageEncoder
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target
from renaissance.tasks.common.evaluation import MeanEvaluation, Split
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.pictures import SplitPictures, evenly, read_manual_inputs, shown
from renaissance.tasks.common.sample import Sample
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Input, Question, Task, TaskContext
from renaissance.tasks.declaration import TaskDeclaration
from renaissance.tasks.metrics.captions import caption_metrics

LARGEST_LOSS = 700.0  # natural units: e to the power of more is no float64
EMPTY_SHARE = 0.25  # of the captions: their prefix is empty, as it is when a whole caption is to be written


@dataclass(frozen=True)
class CutPrefix:
    """Where each caption of a batch is cut."""

    def __call__(self, batch: Batch, fetch: Fetch, streams: Sequence[np.random.Generator]) -> dict[str, Tensor]:
        """Draw the cuts.

        Args:
            batch: B examples.
            fetch: not used.
            streams: B generators, one an example.

        Returns:
            "cut": (B,) long, how many tokens the prefix has, the start token included: at least that one, and never
            the end token.
        """
        assert batch.tokens is not None
        lengths = batch.tokens.mask[: batch.examples].sum(dim=1).tolist()
        cuts = [
            1 if numbers.random() < EMPTY_SHARE else int(numbers.integers(1, length))
            for length, numbers in zip(lengths, streams, strict=True)
        ]
        return {"cut": torch.tensor(cuts)}


class CaptioningTask(Task):
    """Cross-entropy of each token given those before it, the image and, where it is read, the prefix."""

    kind = "caption"

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        assert context.text is not None
        self.text, self.settings = context.text, context.settings
        self.start_id, self.end_id = self.text.cls_id, self.text.sep_id
        ((around, _),) = self.text.encode([""])
        if around.tolist() != [self.start_id, self.end_id]:
            raise UserError(
                "caption needs a tokenizer that puts a first and a last token around every text, and this one makes "
                f"{self.text.decode(around.tolist()) or around.tolist()} of an empty text. Take another tokenizer, or "
                "leave vocab_file out, so that a vocabulary is built from the captions."
            )
        self.reads_prefix = self.settings.caption_prefix_encoder
        if not self.reads_prefix and (self.settings.text_modality_dropout or self.settings.image_modality_dropout):
            raise UserError(
                "text_modality_dropout and image_modality_dropout leave caption nothing to look at: without "
                "caption_prefix_encoder=True the image is all that its decoder sees. Take 0 for both."
            )
        self.manual = read_manual_inputs(self.settings.manual_inputs)

    @classmethod
    def sides(cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings) -> Sides:
        return Sides(image=True, text=settings.caption_prefix_encoder, fused=False, decoder=declaration.writes)

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate | None:
        return CutPrefix() if settings.caption_prefix_encoder else None

    # Training

    @classmethod
    def collate_inputs(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None
    ) -> Collate | None:
        return None

    def forward(self, step: Step) -> Outcome:
        assert step.batch.tokens is not None
        tokens = step.batch.tokens.map(lambda tensor: tensor[: step.batch.examples])
        cut = self._cut(step.batch)
        prefix = step.encode_text(first_part(tokens, cut)) if self.reads_prefix else None
        context = self._context(step.model, *step.kept(prefix, step.image))
        inputs, targets, counted = teacher_forcing(tokens, cut)
        logits = decoder_of(step.model)(inputs, context, counted=counted).float()  # (N, V)
        nll = F.cross_entropy(logits, targets[counted], reduction="none")
        smoothing = self.settings.label_smoothing if self.training else 0.0
        losses = (1 - smoothing) * nll - smoothing * logits.log_softmax(-1).mean(-1) if smoothing else nll
        correct = (logits.argmax(-1) == targets[counted]).float()
        return Outcome({"loss": losses, "nll": nll, "accuracy": correct})

    def items(self, batch: Batch) -> int:
        assert batch.tokens is not None
        return int(batch.tokens.mask[: batch.examples].sum() - self._cut(batch).sum())

    def _cut(self, batch: Batch) -> Tensor:
        """(B,) long, the tokens of each caption that are given, and not written."""
        return batch.collated[self.name]["cut"] if self.reads_prefix else torch.ones_like(batch.index)

    def derived(self, means: Mapping[str, float]) -> dict[str, float]:
        """Perplexity, of the mean negative log-likelihood: under label smoothing that is not the loss."""
        others = {name: value for name, value in means.items() if name != "nll"}
        return {**others, "perplexity": exp(min(means["nll"], LARGEST_LOSS))} if "nll" in means else others

    def _context(self, model: VisionLanguageEncoder, prefix: Features | None, image: Features | None) -> Features:
        """What the decoder attends to: the prefix (B, L, D) where one is read, and the image (B, P, D)."""
        assert image is not None
        hidden = model.fuse(None, image, outputs=frozenset(("image",))).image
        assert hidden is not None
        features = {"image": Features(hidden, image.mask)}
        if prefix is not None:
            read = model.fuse(prefix, None, outputs=frozenset(("text",))).text
            assert read is not None
            features["text"] = Features(read, prefix.mask)
        return decoder_of(model).read_context(features)

    # Writing

    def inputs(self) -> tuple[Input, ...]:
        return (Input("image", "the picture that is written of", "image"),)

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """A "caption" of each image; the texts of the batch are not read."""
        return [{"caption": caption} for caption in self.captions(step)]

    def question(self, examples: Examples, index: int) -> Question:
        """The right answer is what somebody wrote."""
        return replace(super().question(examples, index), right=examples.value(index, "text"))

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """The caption that is written, or the one asked for, by its log-probability."""
        caption = self.captions(step)[0] if target is None else str(target)
        ((ids, _),) = self.text.encode([caption])
        device = step.batch.index.device
        own = torch.tensor(ids, device=device)[None]

        def by_token(variants: Step) -> Tensor:
            return self._log_probabilities(variants, own.expand(variants.batch.examples, -1))

        return Claim(
            caption,
            lambda variants: by_token(variants).sum(dim=1),
            "log-probability",
            written=caption,
            by_token=by_token,
        )

    def _log_probabilities(self, step: Step, ids: Tensor) -> Tensor:
        """Of texts (B, T) the log-probability (B, T) of each token given the image and those before it; 0 of the first.

        They are read as written: a prefix encoder is given the start token alone.
        """
        tokens = Tokens(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
        cut = torch.ones(len(ids), dtype=torch.long, device=ids.device)
        prefix = step.encode_text(first_part(tokens, cut)) if self.reads_prefix else None
        context = self._context(step.model, prefix, step.image)
        inputs, targets, _ = teacher_forcing(tokens, cut)
        scores = decoder_of(step.model)(inputs, context).float().log_softmax(-1)
        return F.pad(scores.gather(2, targets[..., None])[..., 0], (1, 0))

    def captions(self, step: Step, prefix: str = "") -> list[str]:
        """Captions of the images of a step's B examples, sampled by what each image shows: alike in any batch.

        Args:
            step: the examples.
            prefix: what every caption begins with; it is cut where it leaves no room for more.
        """
        return self.write(step.model, step.image, self._streams_of(step), prefix)

    @torch.no_grad()
    def write(
        self, model: VisionLanguageEncoder, image: Features, streams: Sequence[np.random.Generator], prefix: str = ""
    ) -> list[str]:
        """Captions of images.

        Args:
            model: the encoder.
            image: (B, P, D) what it made of B images.
            streams: B generators for sampling.
            prefix: what every caption begins with; it is cut where it leaves no room for more.
        """
        model_so_far, given, choice, start = self._begun(model, image, prefix)
        written = generate(model_so_far, given, choice, **self._rules(streams))
        return [self.text.decode([*start, *row]) for row in written]

    def growing_caption(self, step: Step, prefix: str = "") -> Iterator[str]:
        """The caption of a step's only image as it is written, a token longer every time; as `captions` writes it.

        Args:
            step: one example.
            prefix: what the caption begins with.

        Yields:
            the caption so far, at least once.
        """
        with torch.no_grad():
            model_so_far, given, choice, start = self._begun(step.model, step.image, prefix)
        ids = list(start)
        rules = self._rules(self._streams_of(step))
        for (further,) in tokens_as_chosen(model_so_far, given, choice, **rules):
            ids += further
            yield self.text.decode(ids)

    def _rules(self, streams: Sequence[np.random.Generator]) -> dict[str, Any]:
        """What ends a caption, what is never written, and where chance comes from."""
        return {"end_id": self.end_id, "banned": sorted(self.text.special_ids), "streams": streams}

    def _streams_of(self, step: Step) -> list[np.random.Generator]:
        """Generators by what each image shows: a caption is the same in any batch."""
        pixels = step.batch.pixels
        assert pixels is not None
        files = [image.numpy().tobytes() for image in pixels[: step.batch.examples].cpu()]
        return [stream(self.settings.eval_seed, 0, crc32(image), "caption") for image in files]

    def _begun(
        self, model: VisionLanguageEncoder, image: Features, prefix: str
    ) -> tuple[DecoderState, Tensor, Choice, list[int]]:
        """The decoder at the beginning of B captions, the tokens it is given (B, T), how to go on, and the prefix's."""
        start = self._start(prefix)
        ids = torch.tensor([start] * len(image.hidden), device=image.hidden.device)
        tokens = Tokens(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros_like(ids))
        prefix_features = model.encode_text(tokens) if self.reads_prefix else None
        context = self._context(model, prefix_features, image)
        # A text encoder reads the prefix for the decoder, as in training; without one the decoder reads it itself.
        given = ids[:, -1:] if self.reads_prefix else ids
        choice = Choice.of_settings(self.settings, room=self.settings.max_text_len - len(start))
        return DecoderState(decoder_of(model), context), given, choice, start

    def _start(self, prefix: str) -> list[int]:
        """The start token and the tokens of a prefix, at least one position short of the longest text."""
        ((ids, _),) = self.text.encode([prefix])
        kept = [number for number in ids.tolist() if number not in (self.start_id, self.end_id)]
        return [self.start_id, *kept][: self.settings.max_text_len - 1]

    def evaluation(self, split: Split) -> CaptionEvaluation:
        return CaptionEvaluation(self, split)

    @torch.no_grad()
    def samples(self, model: VisionLanguageEncoder, pictures: SplitPictures) -> list[Sample]:
        """Images of the split and the user's own, with their captions."""
        samples = []
        for rows, pixels in pictures.batches(self.settings.num_samples, "samples"):
            streams = [pictures.stream(row, "caption") for row in rows]
            samples += [
                Sample(pictures.picture(row), pictures.where(row), "", caption, tuple(pictures.texts(row)))
                for row, caption in zip(rows, self.write(model, model.encode_image(pixels), streams), strict=True)
            ]
        for number, given in enumerate(self.manual):
            image = model.encode_image(pictures.pixels([given.data], [str(given.path)]))
            (caption,) = self.write(model, image, [pictures.stream(number, "manual caption")], given.prefix)
            samples.append(Sample(shown(given.data, str(given.path)), str(given.path), given.prefix, caption))
        return samples


class CaptionEvaluation(MeanEvaluation):
    """Means over tokens; and BLEU, ROUGE-L and CIDEr-D of captions written for images, in a test for all of them.

    Args:
        task: what is judged.
        split: on what.
    """

    def __init__(self, task: CaptioningTask, split: Split) -> None:
        super().__init__(task, split)
        self.task: CaptioningTask = task
        wanted = task.settings.caption_metric_images
        most = 1 if split.brief else None if split.tested and wanted else wanted
        self._rows_described = frozenset(evenly(split.examples, most) if wanted else ())
        self._written: list[tuple[str, list[str]]] = []

    def update(self, step: Step, outcome: Outcome) -> None:
        super().update(step, outcome)
        examples, index = self.split.examples, step.batch.index.tolist()
        rows = [examples.row_of(number) for number in index]
        chosen = [
            place
            for place, (number, row) in enumerate(zip(index, rows, strict=True))
            if row in self._rows_described and examples.of_row(row).start == number  # once for all its captions
        ]
        if not chosen:
            return
        image = step.image.select(torch.tensor(chosen, device=step.image.hidden.device))
        captions = self.task.write(step.model, image, [self.split.stream(rows[place], "caption") for place in chosen])
        for place, caption in zip(chosen, captions, strict=True):
            references = [examples.value(own, "text") for own in examples.of_row(rows[place])]
            self._written.append((caption, references))

    def compute(self) -> dict[str, float]:
        written = self.split.gathered(self._written)
        if not written:
            return super().compute()
        return super().compute() | caption_metrics([caption for caption, _ in written], [texts for _, texts in written])


def first_part(tokens: Tokens, cut: Tensor) -> Tokens:
    """The first `cut` (B,) tokens of each text, as a batch of their own (B, L')."""
    length = int(cut.max())
    kept = torch.arange(length, device=cut.device) < cut[:, None]
    return Tokens(tokens.ids[:, :length], kept, tokens.words[:, :length])


def teacher_forcing(tokens: Tokens, cut: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What the decoder is given, what it is to say after each of it, and where it is to say something, (B, T) each.

    Args:
        tokens: B texts, each with a start and an end token.
        cut: (B,) long, the tokens of each text that a prefix encoder reads, 1 for the start token alone; of them the
            decoder is given the last.
    """
    rest = tokens.mask.sum(dim=1) - cut  # (B,) tokens to be written, the end token included
    steps = torch.arange(int(rest.max()), device=cut.device)
    there = steps < rest[:, None]
    place = (cut[:, None] + steps).clamp(max=tokens.ids.shape[1] - 1)
    return tokens.ids.gather(1, place - 1), tokens.ids.gather(1, place), there
