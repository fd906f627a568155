"""What is known of a task before it is built: its name, what it reads, what it reports. No PyTorch here.

Each file `tasks/<name>.py` sets `TASK` to a `TaskDeclaration`. Settings are checked against it, and metrics are judged
by it; the heads and the losses are in the behaviour that it names (`behaviours/`), which is imported when a model is
built.
"""

from __future__ import annotations

from dataclasses import dataclass

from renaissance.data.examples.schema import DataNeeds

# In a row of predictions: what the example adds to each metric that is a mean over examples, by the metric's name.
PREDICTED_VALUES = "values"


@dataclass(frozen=True)
class Family:
    """Metrics that are drawn in one picture too, such as BLEU-1 to BLEU-4.

    Attributes:
        name: of the picture's file, `<task>_<name>`.
        title: in words, as a picture's title goes on, such as "image retrieval, recall".
    """

    name: str
    title: str


@dataclass(frozen=True)
class Metric:
    """A figure that a task reports of a split.

    Attributes:
        name: its last word where a run records it, `<task>/<split>/<name>`.
        more_is_better: whether a higher value is better, as of an accuracy; of a loss a lower one is.
        title: in words, as pictures call it, such as "image retrieval, recall at 1"; empty for its name. What stands
            behind a comma tells it from others of its family.
        family: the metrics that it is drawn with; None where it is drawn alone.

    Raises:
        ValueError: the name is no identifier.
    """

    name: str
    more_is_better: bool
    title: str = ""
    family: Family | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a metric's name must be letters, digits and underscores, not {self.name!r}")


LOSS = Metric("loss", more_is_better=False)
ACCURACY = Metric("accuracy", more_is_better=True)
_IMAGES, _TEXTS = Family("ir_recall", "image retrieval, recall"), Family("tr_recall", "text retrieval, recall")
RECALLS = (
    *(Metric(f"ir_r{most}", more_is_better=True, title=f"{_IMAGES.title} at {most}", family=_IMAGES)
      for most in (1, 5, 10)),
    *(Metric(f"tr_r{most}", more_is_better=True, title=f"{_TEXTS.title} at {most}", family=_TEXTS)
      for most in (1, 5, 10)),
)  # fmt: skip


@dataclass(frozen=True)
class TaskDeclaration:
    """What is known of a task before it is built.

    Attributes:
        name: its name in `loss_names`; that of its file, if it is one of ours.
        needs: what it reads of each example.
        behaviour: its `Task` subclass, as "package.module:Class", which is imported when it is needed; or the class
            itself.
        metrics: what it reports of a validation.
        monitor: the name of the metric that tells the best checkpoint of a run on this task alone.
        writes: whether it has the text decoder.
        predicts: whether it answers each example, so that a test leaves a file of predictions.
        mixable: whether its targets can be shares of two examples (see `models/fusion/mixing.py`).
        fuses: whether, where it reads both, it lets text and image see each other.
        older_names: what `loss_names` may call it beside its name; a run records the name.
        title: in words, as pictures call it, such as "Image-text matching"; empty for its name.

    Raises:
        ValueError: a name is no identifier, the behaviour is no path of a class, what is read is no column of the
            schema, there are no metrics or two of one name, or the monitor is none of them.
    """

    name: str
    needs: DataNeeds
    behaviour: str | type
    metrics: tuple[Metric, ...]
    monitor: str
    writes: bool = False
    predicts: bool = False
    mixable: bool = False
    fuses: bool = True
    older_names: tuple[str, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a task's name must be letters, digits and underscores, not {self.name!r}")
        if isinstance(self.behaviour, str):
            module, colon, name = self.behaviour.partition(":")
            if not (colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
                raise ValueError(f"{self.name}: behaviour must be 'package.module:Class', not {self.behaviour!r}")
        for side, read in (("image", self.needs.image), ("text", self.needs.text)):
            column = self.needs.schema.columns.get(side)
            if read and (column is None or column.type != side):
                raise ValueError(
                    f"{self.name}: reads {side}s ({side}=True), but its schema {self.needs.schema.name!r} has no "
                    f"column {side!r} of that type; it has {', '.join(self.needs.schema.columns)}"
                )
        names = [metric.name for metric in self.metrics]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self.name}: metrics must be one or more, each of another name, not {names}")
        if self.monitor not in names:
            raise ValueError(f"{self.name}: monitor must be one of its metrics ({', '.join(names)}), "
                             f"not {self.monitor!r}")  # fmt: skip

    def metric(self, name: str) -> Metric | None:
        """The metric of a name; None where the task declares none such."""
        return next((metric for metric in self.metrics if metric.name == name), None)
