"""From a row to what the model is asked: its examples, each with its fields, and what is right where that is known.

A row is one example; one with a list of texts is as many, as in our own tables of captions and questions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from renaissance.data.preparing.raw_files import whole_text
from renaissance.data.tables.table import UNKNOWN_CLASS
from renaissance.errors import UserError
from renaissance.inference.inputs import check_examples
from renaissance.predicting.binding import Binding, Bound, Question
from renaissance.predicting.sources.interface import Fault, Row, Source

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
        self._numbers: list[dict[str, _Classes]] = []
        for question in binding.questions:
            names = next((class_names[name] for name in question.asked.tasks if name in class_names), None)
            self._numbers.append(
                {
                    name: _Classes(names, source.label_names.get(bound.column), source.typing == "texts")
                    for name, bound in question.answers.items()
                }
            )

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
        item.kept = {name: _plain(_of_text(row, bound, number, texts)) for name, bound in self._binding.kept.items()}
        try:
            for question, classes in zip(self._binding.questions, self._numbers, strict=True):
                item.fields.append(self._fields(question, row, number, texts))
                item.answers.append(
                    {
                        name: _answer(item, bound, classes[name], _of_text(row, bound, number, texts))
                        for name, bound in question.answers.items()
                    }
                )
        except _Faulty as error:
            item.fault = error.fault
        return item

    def _fields(self, question: Question, row: Row, number: int | None, texts: int) -> dict[str, Any]:
        """What the model is given. Raises _Faulty."""
        values = {}
        for name, bound in question.fields.items():
            value = _of_text(row, bound, number, texts)
            if bound.type == "text":
                value = self._text(bound, value)
            elif bound.type == "image":
                value = self._image(bound, value)
            elif bound.type == "boxes" and isinstance(value, str):
                value = _parsed(bound, value)
            values[name] = value
        columns = {name: bound.column for name, bound in question.fields.items()}
        try:
            check_examples(
                [values], {name: bound.type for name, bound in question.fields.items()}, lambda _, name: columns[name]
            )
        except UserError as error:
            raise _faulty(str(error), columns.values()) from None
        return values

    def _text(self, bound: Bound, value: Any) -> Any:
        """A text; of a number with its text, as published tables have them, the text. Raises _Faulty."""
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            value = next((entry for entry in reversed(value) if isinstance(entry, str)), None)
        if value == "" and self._source.typing == "texts":
            raise _Faulty(Fault(bound.column, "is empty"))
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise _Faulty(Fault(bound.column, "holds half of a character (a lone surrogate)")) from None
        return value

    def _image(self, bound: Bound, value: Any) -> Any:
        """The bytes of an image, or the path of one that is there, from the input's folder. Raises _Faulty."""
        if not isinstance(value, str):
            return value
        if not value:
            raise _Faulty(Fault(bound.column, "is empty"))
        try:
            path = self._source.base / Path(value)
            if path.is_file():  # not a pipe, which would be waited for
                return path
            reason = "is no plain file" if path.exists() else "there is no such file"
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
        raise _Faulty(Fault(bound.column, f"{reason}: {os.fspath(value)[:200]}"))


class _Classes:
    """Finds the numbers of classes.

    Args:
        names: of the model's classes; None where what is chosen is no class, such as a box.
        own: the input's, by the numbers that it has; None where it does not say.
        texts: every value of the input is a text, numbers too.
    """

    def __init__(self, names: Sequence[str] | None, own: Sequence[str] | None, texts: bool) -> None:
        self._names = names
        self._by_name = {name: number for number, name in enumerate(names or ())}
        self._own = own if names is not None else None
        self._texts = texts

    def number(self, value: Any) -> int | None:
        """The number of a class by its name or its number; None where there is none such."""
        if isinstance(value, str):
            if value in self._by_name:
                return self._by_name[value]
            if not (self._texts and value.strip().isascii() and value.strip().isdigit()):
                return None
            value = int(value)
        if isinstance(value, bool):
            return self._by_name.get(str(value))
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or value < 0:
            return None
        if self._own is not None:
            return self._by_name.get(self._own[value]) if value < len(self._own) else None
        return value if self._names is None or value < len(self._names) else None


def _answer(item: Item, bound: Bound, classes: _Classes, value: Any) -> Any:
    """What is right, as tasks take it; None, or an empty list, where that is not known."""
    if bound.type == "class":
        while isinstance(value, list):
            value = value[-1] if value else None
        return _class(item, bound, classes, value)
    entries = value if isinstance(value, list) else []
    if bound.type == "classes":
        return [number for entry in entries if (number := _class(item, bound, classes, entry)) is not None]
    return [float(entry) for entry in entries if isinstance(entry, int | float)]


def _class(item: Item, bound: Bound, classes: _Classes, value: Any) -> int | None:
    """The number of a class; None where it is not given, or is none of the classes, which the item notes."""
    if value is None or value == "" or value == UNKNOWN_CLASS:
        return None
    number = classes.number(value)
    if number is None:
        item.unknown.setdefault(bound.column, str(value)[:50])
    return number


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


class _Faulty(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


def _faulty(message: str, columns: Any) -> _Faulty:
    return _Faulty(fault_of(message, columns))


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
    """A value of a row, or of a list with one for each of its texts the one of a text."""
    value = row.values.get(bound.column)
    if number is not None and bound.per_text and isinstance(value, list) and len(value) == texts:
        return value[number]
    return value


def _parsed(bound: Bound, value: str) -> Any:
    """Boxes that stand as JSON in a field of CSV. Raises _Faulty."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise _Faulty(Fault(bound.column, "is no JSON list of boxes")) from None
