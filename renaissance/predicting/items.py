"""From a row to what the model is asked: its examples, each with its fields, and what is right where that is known.

A row is one example; one with a list of texts is as many, as in our own tables of captions and questions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renaissance.data.preparing.raw_files import whole_text
from renaissance.errors import UserError
from renaissance.inference.inputs import check_examples
from renaissance.predicting.answers import KnownAnswers, parsed
from renaissance.predicting.binding import ANSWERS, Binding, Bound, Question
from renaissance.predicting.sources.interface import Fault, Faulty, Row, Source

MOST_TEXTS = 10_000  # of a row


@dataclass
class Item:
    """An example of the input, or what cannot be one.

    Attributes:
        row: the number of its row.
        where: the row's place for a person.
        number: of several texts of the row, the how-manieth; None where the row holds no list.
        kept: what is carried along, by column.
        fields: what the model is given, by question and field.
        answers: what is right, by question and field; None where that is not known.
        unknown: answers that are none of the classes, by column.
        fault: why it cannot be used; None where it can.
    """

    row: int
    where: str
    number: int | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    fields: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None


class ItemMaker:
    """Makes items of rows.

    Args:
        source: where the rows come from.
        binding: what is read of them.
        class_names: by task the classes that the model tells apart.
    """

    def __init__(self, source: Source, binding: Binding, class_names: Mapping[str, Sequence[str]]) -> None:
        self._source = source
        self._binding = binding
        self._known = [self._known_answers(question, class_names) for question in binding.questions]

    def _known_answers(self, question: Question, class_names: Mapping[str, Sequence[str]]) -> KnownAnswers:
        names = next((class_names[name] for name in question.asked.tasks if name in class_names), None)
        return KnownAnswers(question.answers, names, self._source.label_names, self._source.typing == "texts")

    def items(self, row: Row) -> list[Item]:
        """The examples of a row; a row that cannot be used is one item with its fault."""
        if row.fault is not None:
            return [Item(row.number, row.where, fault=row.fault)]
        texts = self._texts(row)
        if texts is None:
            return [self._item(row, None, 1)]
        if not texts or len(texts) > MOST_TEXTS:
            reason = "has no text" if not texts else f"has {len(texts):,} texts, more than {MOST_TEXTS:,}"
            return [Item(row.number, row.where, fault=Fault(self._text_column() or "", reason))]
        return [self._item(row, number, len(texts)) for number in range(len(texts))]

    def _text_column(self) -> str | None:
        bound = (question.fields.get("text") for question in self._binding.questions)
        return next((one.column for one in bound if one is not None), None)

    def _texts(self, row: Row) -> list[Any] | None:
        """The row's list of texts; None where it has no list."""
        column = self._text_column()
        value = None if column is None else row.values.get(column)
        return value if isinstance(value, list) else None

    def _item(self, row: Row, number: int | None, texts: int) -> Item:
        item = Item(row.number, row.where, number)
        item.kept = {name: _plain(_kept(row, bound, number, texts)) for name, bound in self._binding.kept.items()}
        try:
            for question, known in zip(self._binding.questions, self._known, strict=True):
                item.fields.append(self._fields(question, row, number, texts))
                answers = {name: _of_text(row, bound, number, texts) for name, bound in question.answers.items()}
                right, unknown = known.of(answers)
                item.answers.append(right)
                item.unknown |= unknown
        except Faulty as error:
            item.fault = error.fault
        return item

    def _fields(self, question: Question, row: Row, number: int | None, texts: int) -> dict[str, Any]:
        """What the model is given. Raises Faulty."""
        values = {}
        for name, bound in question.fields.items():
            value = _of_text(row, bound, number, texts)
            if bound.type == "text":
                value = self._text(bound, value if number is None else _words_of(value))
            elif bound.type == "image":
                value = self._image(bound, value)
            elif bound.type == "boxes" and isinstance(value, str):
                value = parsed(bound, value, "list of boxes")
            values[name] = value
        columns = {name: bound.column for name, bound in question.fields.items()}
        try:
            check_examples(
                [values], {name: bound.type for name, bound in question.fields.items()}, lambda _, name: columns[name]
            )
        except UserError as error:
            raise Faulty(fault_of(str(error), columns.values())) from None
        return values

    def _text(self, bound: Bound, value: Any) -> Any:
        """A text. Raises Faulty."""
        if value == "" and self._source.typing == "texts":
            raise Faulty(Fault(bound.column, "is empty"))
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise Faulty(Fault(bound.column, "holds half of a character (a lone surrogate)")) from None
        return value

    def _image(self, bound: Bound, value: Any) -> Any:
        """The bytes of an image, or the path of one that is there, from the input's folder. Raises Faulty."""
        if not isinstance(value, str):
            return value
        if not value:
            raise Faulty(Fault(bound.column, "is empty"))
        try:
            path = self._source.base / Path(value)
            if path.is_file():  # not a pipe, which would be waited for
                return path
            reason = "is no plain file" if path.exists() else "there is no such file"
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
        raise Faulty(Fault(bound.column, f"{reason}: {os.fspath(value)[:200]}"))


def _plain(value: Any) -> Any:
    """A value to carry along, as JSON can write it."""
    if isinstance(value, str):
        return whole_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    return value.hex() if isinstance(value, bytes) else str(value)


def fault_of(message: str, columns: Any) -> Fault:
    """The fault that a message tells of, which begins with the name of the column.

    Args:
        message: of a `UserError`.
        columns: names.
    """
    for column in sorted(columns, key=len, reverse=True):
        if message.startswith(f"{column}: "):
            return Fault(column, message.removeprefix(f"{column}: "))
    return Fault("", message)


def _of_text(row: Row, bound: Bound, number: int | None, texts: int) -> Any:
    """A value of a row, or of a list with one for each of its texts the one of a text. Raises Faulty."""
    value = row.values.get(bound.column)
    if number is None or not bound.per_text or not isinstance(value, list):
        return value
    if not value and bound.type in ANSWERS:  # nothing is known of any of the texts
        return None
    if len(value) != texts:
        raise Faulty(Fault(bound.column, f"has {len(value):,} values for {texts:,} texts"))
    return value[number]


def _kept(row: Row, bound: Bound, number: int | None, texts: int) -> Any:
    """What is carried along: the value of the text where there is one for each, else that of the row."""
    try:
        return _of_text(row, bound, number, texts)
    except Faulty:
        return row.values.get(bound.column)


def _words_of(value: Any) -> Any:
    """The text of an entry of a list; published tables have it in a pair with its number, or in a structure.

    What could be another text than the one that is meant stays as it is, and is then no text.
    """
    if isinstance(value, list) and len(value) <= 2 and value and isinstance(value[-1], str):
        return value[-1]
    if isinstance(value, dict):
        texts = [entry for entry in value.values() if isinstance(entry, str)]
        return texts[0] if len(texts) == 1 else value
    return value
