"""What kinds of examples there are, and in which columns of a table they lie.

A task wants one kind; a data set says which tables hold it. The column names are those of the published
tables (ViLT, METER), and in their style for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

Split = str


@dataclass(frozen=True)
class Kind:
    """The columns of a kind of examples; None where it has no such thing.

    Attributes:
        image: file bytes of an image.
        text: a string a row, or a list of strings a row.
        label: the number of the row's class.
    """

    image: str | None = None
    text: str | None = None
    label: str | None = None


KINDS: dict[str, Kind] = {
    "caption": Kind(image="image", text="caption"),
    "cifar10": Kind(image="image", label="label"),
    "imdb": Kind(text="text", label="label"),
}


@dataclass(frozen=True)
class DataNeeds:
    """What a task wants to have of each example.

    Attributes:
        kind: a name in KINDS.
        image: whether it looks at the image.
        text: whether it reads the text.
    """

    kind: str
    image: bool
    text: bool
