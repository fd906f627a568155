"""One example and variants of it, as a task's steps: patches of its pictures covered, words of its texts covered.

In: a model, a task and an example. Out: steps of B variants that the task's own code computes on. Each picture and each
text that variants have in common is encoded once, whatever their number: of variants that differ in a picture the text
tower sees one text.

Shapes: B variants, E images that the task's collate asks for each, P image positions, S pixels on a side.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from renaissance.attributions.reading import Reading
from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.fetch import Fetch, ImageAddress
from renaissance.data.examples.listed import ListExamples
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.images.decode import BadImage
from renaissance.data.images.files import read_image_file
from renaissance.data.images.transform import Box
from renaissance.data.streams import stream
from renaissance.errors import ExampleError, UserError
from renaissance.inference.asked import asked_of
from renaissance.inference.inputs import Example, check_examples, examples_of
from renaissance.inference.model import Model
from renaissance.models.interface import Features
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import Task

Square = tuple[int, int, int, int]  # first and last row, first and last column, in pixels; the last ones not included


@dataclass(frozen=True)
class Picture:
    """A picture that the model sees of an example: one of its images, or a part of one.

    Attributes:
        field: which of the example's images.
        box: the part; None for all of it.
    """

    field: str
    box: Box | None = None


@dataclass(frozen=True)
class Variant:
    """What is covered of an example.

    Attributes:
        picture: of which a square is covered; None where no picture is.
        square: that is covered with the mean colour.
        columns: the tokens that are covered.
    """

    picture: Picture | None = None
    square: Square | None = None
    columns: tuple[int, ...] = ()


WHOLE = Variant()


class Subject:
    """An example, checked and read.

    Args:
        model: the trained model.
        task: the name of one of its tasks.
        example: what the task reads.

    Attributes:
        task: the task.
        values: the example, with the files of its images read.
        reading: its texts; None where the task reads none.

    Raises:
        UserError: naming the field at fault.
    """

    def __init__(self, model: Model, task: str, example: Example) -> None:
        self.model = model
        self.task: Task = model.tasks[task]
        (asked,) = asked_of(model, {task: self.task})
        fields = asked.fields
        check_examples([example], fields, _named)
        own: dict[str, Any] = {name: example[name] for name in fields}
        for name, kind in fields.items():
            if kind == "image" and isinstance(own[name], str | os.PathLike):
                own[name] = read_image_file(Path(own[name]), _named(0, name))
        self.values = own
        self._read = examples_of([own], 0, asked.schema, fields, _named, model.text)
        self.reading: Reading | None = None
        if self._read.needs.text:
            assert model.text is not None
            pair = self._read.value(0, "text_pair") if "text_pair" in fields else None
            self.reading = Reading(model.text, self._read.value(0, "text"), pair, own)
        self._collate = self.task.collate_inputs(self.task.declaration, model.settings, model.text)
        self._pixels: dict[Picture, Tensor] = {}
        self._features: dict[Picture, Features] = {}

    def step(self, variants: Sequence[Variant]) -> VariantStep:
        """A step of variants of the example, in that order, as the task computes on."""
        number = len(variants)
        examples = _Copies(self._read, number)
        batch = Batch(torch.arange(number), examples.needs.schema.name, torch.arange(number))
        if self.reading is not None:
            batch.tokens = self.reading.tokens([variant.columns for variant in variants])
        fetch = Fetch(examples, number)
        if self._collate is not None:
            seed = self.model.settings.eval_seed
            streams = [stream(seed, 0, 0, f"draw {self.task.name}") for _ in variants]
            batch.collated[self.task.name] = self._collate(batch, fetch, streams)
        if fetch.texts:
            raise UserError(f"{self.task.name}: it reads texts of other examples, which attributions cannot vary.")
        rows: list[tuple[Picture, Square | None]] = []
        if self._read.needs.image:
            assert self.model.transform is not None
            addresses = [ImageAddress(row) for row in range(number)] + fetch.images
            rows = [_row(address, variants[address.index]) for address in addresses]
            batch.pixels = torch.stack([self.pixels(picture) for picture, _ in rows])
        return VariantStep(self, batch.to(self.model.device), rows)

    def pictures(self, image_rows: Sequence[int] | None) -> list[Picture]:
        """The pictures that the model sees, each once; those of some rows of `pixels`, or all with None."""
        rows = [picture for picture, _ in self.step([WHOLE]).rows]
        return list(dict.fromkeys(rows if image_rows is None else [rows[row] for row in image_rows]))

    def pixels(self, picture: Picture) -> Tensor:
        """A picture's pixels (3, S, S) uint8.

        Raises:
            ExampleError: it cannot be read.
        """
        if picture not in self._pixels:
            assert self.model.transform is not None
            try:
                array = self.model.transform(self.values[picture.field], None, picture.box)
            except BadImage as error:
                reason = f"the image cannot be read: {error}"
                raise ExampleError(f"{_named(0, picture.field)}: {reason}.", 0, picture.field, reason) from None
            self._pixels[picture] = torch.from_numpy(np.ascontiguousarray(array))
        return self._pixels[picture]

    def features(self, picture: Picture) -> Features:
        """What the encoder makes of a picture as it is, (1, P, D)."""
        if picture not in self._features:
            self._features[picture] = self.encode([(picture, None)])
        return self._features[picture]

    def encode(self, covered: Sequence[tuple[Picture, Square | None]]) -> Features:
        """Features (N, P, D) of N pictures, each with a square that is covered, or as it is."""
        batch = Batch(torch.arange(len(covered)), pixels=torch.stack([self.pixels(picture) for picture, _ in covered]))
        assert self.model.to_pixels is not None
        pixels = self.model.to_pixels(batch.to(self.model.device))
        for row, (_, square) in enumerate(covered):
            if square is not None:
                upper, lower, left, right = square
                pixels[row, :, upper:lower, left:right] = 0.0  # the mean colour, normalised
        return self.model.encoder.encode_image(pixels)


class VariantStep(Step):
    """A step whose images and texts are variants of one example's; what is alike is encoded once.

    Args:
        subject: the example.
        batch: B variants.
        rows: for each row of the batch's pixels, B and those that the collate asked for, what it shows.
    """

    def __init__(self, subject: Subject, batch: Batch, rows: Sequence[tuple[Picture, Square | None]]) -> None:
        super().__init__(subject.model.encoder, batch, subject.model.to_pixels)
        self.rows = rows
        self._subject = subject

    @cached_property
    def all_images(self) -> Features:
        pictures = list(dict.fromkeys(picture for picture, square in self.rows if square is None))
        covered = list(dict.fromkeys(row for row in self.rows if row[1] is not None))
        parts = [self._subject.features(picture) for picture in pictures]
        if covered:
            parts.append(self._subject.encode(covered))
        place: dict[tuple[Picture, Square | None], int] = {(picture, None): at for at, picture in enumerate(pictures)}
        place |= {row: len(pictures) + at for at, row in enumerate(covered)}
        all_parts = Features(torch.cat([part.hidden for part in parts]), torch.cat([part.mask for part in parts]))
        return all_parts.select(torch.tensor([place[row] for row in self.rows], device=self.batch.index.device))

    @cached_property
    def all_texts(self) -> Features:
        assert self.batch.tokens is not None
        return self.encode_text(self.batch.tokens)

    def encode_text(self, tokens: Tokens) -> Features:
        """Features (B, L, D) of texts, each of which is encoded once."""
        seen: dict[tuple[int, ...], int] = {}
        keys = torch.cat((tokens.ids, tokens.mask.long()), dim=1).tolist()
        row = [seen.setdefault(tuple(key), len(seen)) for key in keys]
        first = torch.tensor([row.index(number) for number in range(len(seen))], device=tokens.ids.device)
        distinct = tokens.map(lambda tensor: tensor[first])
        return self.model.encode_text(distinct).select(torch.tensor(row, device=tokens.ids.device))


class _Copies(ListExamples):
    """The same example several times, each an example of its own."""

    def __init__(self, examples: ListExamples, number: int) -> None:
        columns = {**examples.needs.schema.columns}
        values = {name: examples.value(0, name) for name in columns}
        needs = DataNeeds(examples.needs.schema, examples.needs.image, examples.needs.text)
        super().__init__([values] * number, needs, names=_named)


def _row(address: ImageAddress, variant: Variant) -> tuple[Picture, Square | None]:
    """What a row of pixels shows, of the variant that it is of."""
    picture = Picture(address.column, address.box)
    return picture, variant.square if picture == variant.picture else None


def _named(index: int, field: str) -> str:
    return f"example['{field}']"


def chosen_task(model: Model, task: str | None, example: Mapping[str, Any]) -> str:
    """The task that is asked: the one named, or the only one whose inputs the example has.

    Raises:
        UserError: there is none, or there are several.
    """
    if task is not None:
        (name,) = model.chosen(task)
        return name
    if not isinstance(example, Mapping):
        raise UserError(f"example: is of type {type(example).__name__}; give a dictionary, as for `predict`")
    able = [name for name, fields in model.inputs.items() if all(example.get(one.field) is not None for one in fields)]
    if len(able) == 1:
        return able[0]
    if len(model.tasks) == 1:  # the message about what is missing comes with it
        return next(iter(model.tasks))
    raise UserError(f"task: name one of {', '.join(able or model.tasks)}, for this model was trained on several.")
