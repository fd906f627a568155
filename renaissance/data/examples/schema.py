"""What an example is: named, typed columns, each with a value a row of a table or a value a text of a row.

A task says which schema its examples have (`DataNeeds`), a data set which tables hold examples of a schema. A schema
maps the names that tasks use ("image", "label") to the columns of the published tables (ViLT, METER, VQAv2, NLVR2,
SNLI-VE, RefCOCO), and in their style for the rest.

    Schema("vqa", {"image": Column("image", "image"), "text": Column("questions", "text", per_text=True),
                   "answers": Column("answer_labels", "classes", per_text=True, optional=True)})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

# image: the bytes of an image file; text: a string; class: the number of a class; classes: numbers of classes, any
# number of them; numbers: as many numbers; boxes: (K, 4) left, upper, width, height in pixels; id: a string.
ColumnType = Literal["image", "text", "class", "classes", "numbers", "boxes", "id"]
LISTS = ("classes", "numbers", "boxes")  # the types whose values are lists, empty where nothing is known


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: as tables call it.
        type: what a value is.
        per_text: it has a value for each text of a row (where the row has a list of texts), not one a row.
        optional: tables may lack it, or its values; a test split whose answers a server keeps, for instance.

    Raises:
        ValueError: there is no such type.
    """

    name: str
    type: ColumnType
    per_text: bool = False
    optional: bool = False

    def __post_init__(self) -> None:
        if self.type not in get_args(ColumnType):
            raise ValueError(
                f"column {self.name!r}: there is no type {self.type!r} ({', '.join(get_args(ColumnType))})"
            )


@dataclass(frozen=True)
class Schema:
    """The columns of examples.

    Attributes:
        name: what data sets call such examples.
        columns: by the names that tasks use. "text" is the column whose texts are counted as examples, "text_pair" a
            second text that is read together with it, and "id" what predictions are reported under.
        class_names: the classes of its "class" and "classes" columns, for tables that do not name them.
    """

    name: str
    columns: Mapping[str, Column]
    class_names: tuple[str, ...] | None = None

    @property
    def has_classes(self) -> bool:
        """Whether one of its columns holds classes."""
        return any(column.type in ("class", "classes") for column in self.columns.values())


@dataclass(frozen=True)
class DataNeeds:
    """What a task, or the tasks that share a batch, read of each example.

    Attributes:
        schema: the columns that there are.
        image: whether images are looked at.
        text: whether texts are read. Without, an example is a row.
    """

    schema: Schema
    image: bool
    text: bool

    def columns(self) -> dict[str, Column]:
        """The columns that are read, by the names that tasks use."""
        unread = {side for side, read in (("image", self.image), ("text", self.text)) if not read}
        return {
            role: column
            for role, column in self.schema.columns.items()
            if column.type not in unread and (self.text or not column.per_text)
        }


CAPTIONS = Schema(
    "caption",
    {
        "image": Column("image", "image"),
        "text": Column("caption", "text", per_text=True),
        "id": Column("image_id", "id", optional=True),
        "source": Column("caption_source", "id", per_text=True, optional=True),
    },
)
