"""Which columns of the input are what: the fields that tasks read, the answers that are known, what is carried along.

A field is in the column that `columns` says, else in one of its own name, else in the one that the task's own tables
have for it. Tasks whose fields are all there are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from renaissance.data.examples.schema import ColumnType, Schema
from renaissance.errors import UserError
from renaissance.inference.asked import Asked, asked_of
from renaissance.inference.model import Model
from renaissance.predicting.sources.images import FILE
from renaissance.predicting.sources.interface import Source
from renaissance.settings.discovery import suggestion
from renaissance.tasks.common.task import Task

ANSWERS = ("class", "classes", "numbers")  # the types of columns that say what is right
ROW, ITEM = "row", "item"  # columns of the output: the row of the input, and of several texts in it the how-manieth


@dataclass(frozen=True)
class Bound:
    """A column of the input that is read.

    Attributes:
        column: its name in the input.
        type: what its values are.
        per_text: where a row has a list of texts, it may have a value for each.
    """

    column: str
    type: ColumnType
    per_text: bool


@dataclass(frozen=True)
class Question:
    """Tasks of one schema, with the columns that they read here.

    Attributes:
        asked: the tasks.
        fields: what they read, by field.
        answers: what is right, by field; empty where the input does not say, and for tasks that are not judged so.
        half: where the input says only a part of what is right, the fields that it lacks for judging answers.
    """

    asked: Asked
    fields: Mapping[str, Bound]
    answers: Mapping[str, Bound]
    half: Sequence[str] = ()


@dataclass(frozen=True)
class Binding:
    """What is read of the input.

    Attributes:
        questions: those that are asked.
        kept: the columns that are carried along, as columns of the output.
        unasked: by task that is not asked, the fields that the input lacks for it.
    """

    questions: Sequence[Question]
    kept: Mapping[str, Bound]
    unasked: Mapping[str, Sequence[str]]

    @property
    def columns(self) -> list[str]:
        """Every column of the input that is read, each once."""
        bound = [one for question in self.questions for one in (*question.fields.values(), *question.answers.values())]
        return list(dict.fromkeys(one.column for one in (*bound, *self.kept.values())))

    @property
    def tasks(self) -> dict[str, Task]:
        """The tasks that are asked, by name."""
        return {name: task for question in self.questions for name, task in question.asked.tasks.items()}


def bind(
    model: Model, source: Source, task: str | None, columns: Mapping[str, str] | None, keep: Sequence[str] | None
) -> Binding:
    """Find what is read of an input.

    Args:
        model: the trained model.
        source: the input.
        task: the only one to be asked; None for all whose fields are there.
        columns: fields by the columns that hold them, where these have other names.
        keep: columns to carry along; None for the examples' id.

    Raises:
        UserError: there is nothing to ask, a column that is named is not there, or several could be meant.
    """
    chosen = model.chosen(task)
    by_field = _by_field(columns or {}, source, chosen)
    lacking = {name: _lacking(model, name, one, source, by_field) for name, one in chosen.items()}
    unasked = {name: fields for name, fields in lacking.items() if fields}
    found = asked_of(model, chosen, lambda name: name not in unasked)
    if not found:
        raise UserError(_nothing_to_ask(model, source, unasked))
    questions = [_question(asked, source, by_field) for asked in found]
    _check_one_text(questions)
    return Binding(questions, _kept(questions, source, keep, by_field), unasked)


def _by_field(columns: Mapping[str, str], source: Source, tasks: Mapping[str, Task]) -> dict[str, str]:
    """The columns that the setting names, by field."""
    known = {name for task in tasks.values() for name in task.needs.schema.columns}
    known |= {given.field for task in tasks.values() for given in task.inputs()}
    for column, field in columns.items():
        if column not in source.columns:
            near = suggestion(column, source.columns)
            raise UserError(f"columns: {source.path} has no column {column!r}{near}; it has {_words(source.columns)}")
        if field not in known:
            raise UserError(
                f"columns: {column!r} cannot be {field!r}, which this model knows nothing of; it knows "
                f"{_words(sorted(known))}"
            )
    fields = list(columns.values())
    if len(set(fields)) < len(fields):
        raise UserError(f"columns: two columns are to be one field: {columns}")
    return {field: column for column, field in columns.items()}


def _lacking(model: Model, name: str, task: Task, source: Source, by_field: Mapping[str, str]) -> list[str]:
    """The fields of a task that the input has no column for."""
    schema = task.needs.schema
    return [given.field for given in model.inputs[name] if _column_of(given.field, schema, source, by_field) is None]


def _column_of(field: str, schema: Schema, source: Source, by_field: Mapping[str, str]) -> str | None:
    """The column of a field; None where the input has none.

    A column of answers in our own tables may have the name of another field of theirs, so there the table's own counts
    first.
    """
    if field in by_field:
        return by_field[field]
    published = schema.columns[field].name if field in schema.columns else field
    is_answer = field in schema.columns and schema.columns[field].type in ANSWERS
    names = (published, field) if is_answer else (field, published)
    taken = set(by_field.values())
    return next((name for name in names if name in source.columns and name not in taken), None)


def _question(asked: Asked, source: Source, by_field: Mapping[str, str]) -> Question:
    fields, answers = {}, {}
    schema = next(iter(asked.tasks.values())).needs.schema  # that of `asked` has the fields by their own names
    for field, kind in asked.fields.items():
        column = _column_of(field, schema, source, by_field)
        assert column is not None
        fields[field] = Bound(column, kind, per_text=kind == "text")
    judged = any(task.declaration.predicts for task in asked.tasks.values())
    wanted = {name: column for name, column in schema.columns.items() if column.type in ANSWERS}
    for field, known in wanted.items():
        name = _column_of(field, schema, source, by_field)
        if name is not None:
            answers[field] = Bound(name, known.type, known.per_text)
    lacking = [field for field in wanted if field not in answers]
    return Question(asked, fields, answers if judged and not lacking else {}, lacking if judged and answers else ())


def _check_one_text(questions: Iterable[Question]) -> None:
    """See that rows with lists of texts have one list that counts."""
    columns = {question.fields["text"].column for question in questions if "text" in question.fields}
    if len(columns) > 1:
        raise UserError(
            f"The tasks read different columns of texts here ({_words(sorted(columns))}). Name one task with task=…"
        )


def _kept(
    questions: Sequence[Question], source: Source, keep: Sequence[str] | None, by_field: Mapping[str, str]
) -> dict[str, Bound]:
    """The columns that are carried along."""
    ids = {}
    for question in questions:
        column = next(iter(question.asked.tasks.values())).needs.schema.columns.get("id")
        if column is not None:
            ids[column.name] = column.per_text
    images = {one.column for question in questions for one in question.fields.values() if one.type == "image"}
    if keep is None:
        usual = [by_field.get("id", FILE), FILE, "id", *ids]
        keep = [name for name in dict.fromkeys(usual) if name in source.columns and name not in images]
    for name in keep:
        if name not in source.columns:
            near = suggestion(name, source.columns)
            raise UserError(f"keep: {source.path} has no column {name!r}{near}; it has {_words(source.columns)}")
    tasks = [name for question in questions for name in question.asked.tasks]
    for name in keep:
        if name in (ROW, ITEM, *tasks) or any(name.startswith(f"{task}_") for task in tasks):
            raise UserError(
                f"keep: {name!r} could be taken for a column of answers. Rename it in the input, or leave it out: "
                f"every answer has the number of its row in the column {ROW!r}"
            )
    return {name: Bound(name, "id", ids.get(name, False)) for name in keep}


def _nothing_to_ask(model: Model, source: Source, lacking: Mapping[str, Sequence[str]]) -> str:
    """What to say where no task can be asked."""
    lines = [f"  {name} needs {_words(fields)}" for name, fields in lacking.items()]
    return (
        f"input={str(source.path)!r} has none of what this model's tasks read:\n"
        + "\n".join(lines)
        + f"\nIts columns are {_words(source.columns) or '(none)'}. Say which is what, such as "
        f'\'columns={{"review": "text"}}\''
    )


def _words(names: Iterable[str]) -> str:
    return ", ".join(names)
