"""What an answer rests on: a value for every patch of the pictures and every word of the texts of one example."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Method = Literal["occlusion", "attention"]
Grid = list[list[float]]  # rows of columns, the upper left patch first


@dataclass(frozen=True)
class Word:
    """A word as people see it.

    Attributes:
        field: the text that it stands in, "text" or "text_pair" of the example; "caption" for one that was written.
        text: the word.
        start: its first character in that text, from 0.
        end: the character behind its last.
        value: what the answer owes to it.
    """

    field: str
    text: str
    start: int
    end: int
    value: float


@dataclass(frozen=True)
class Attribution:
    """What an answer rests on.

    Attributes:
        task: which task answered.
        method: "occlusion" or "attention".
        target: the answer in words: a class, a word, a caption.
        probability: the model's probability of it; None where it has none, as of a similarity.
        score: how strongly it holds to it, on the scale that `unit` names.
        unit: of the score and of occlusion's values: "log-odds", "log-probability" or "similarity"; of attention's
            values, which are shares of all attention, "share".
        patches: by image field the values of its patches, rows of columns.
        regions: by image field where that grid lies in the picture: left, upper, width and height in its pixels,
            upright. The model sees the middle square of a picture; of several boxes, the one that was chosen.
        words: the words that were read, in order. What was cut off a long text is not among them.
        notes: what to know when reading the values, a sentence each.
    """

    task: str
    method: Method
    target: str
    probability: float | None
    score: float | None
    unit: str
    patches: dict[str, Grid] = field(default_factory=dict)
    regions: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return {
            **asdict(self),
            "regions": {name: list(region) for name, region in self.regions.items()},
            "notes": list(self.notes),
        }
