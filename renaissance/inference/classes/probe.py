"""The command `probe`: what a frozen encoder's features tell of classes, by a linear probe and by nearest neighbours.

Comes in: `load_path` (or, without, an encoder of the settings) and `dataset`. Goes out: a table on the terminal and a
new numbered folder `<log_dir>/probes/<n>` with results.json, results.csv, recalls by class and confusion pictures.
Beside the trained weights stand random ones of the same architecture: what the training is to be measured by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from renaissance.atomic_files import write_csv, write_json
from renaissance.checkpoints.provenance import pretrained_parts
from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.data.streams import stream
from renaissance.inference.classes.classifiers import (
    CHANCE,
    LINEAR_PROBE,
    Answer,
    Classified,
    linear_probe,
    nearest_neighbours,
    normalised,
)
from renaissance.inference.classes.counts import CLASS_COLUMNS, Confusion
from renaissance.inference.classes.examples import ClassifiedData, class_names_of, classified_data, labels_of
from renaissance.inference.classes.picture import draw_confusion
from renaissance.inference.features import device_of, features_of
from renaissance.inference.model import Model, load
from renaissance.inference.untrained import model_of_settings, untrained_twin
from renaissance.settings import Settings
from renaissance.tasks.common.step import pooled
from renaissance.text_table import text_table
from renaissance.tracking.run_folder import check_writable, new_numbered_folder

FOLDER = "probes"  # under log_dir
COLUMNS = ("examples", "weights", "classifier", "chosen", "top-1", "mean recall")
TRAINED, PRETRAINED, RANDOM = "trained", "pretrained", "random"


@dataclass(frozen=True)
class ProbeData:
    """What a probe learns from and is judged by, as features of one encoder.

    Attributes:
        train: to fit.
        val: to choose a classifier's setting by.
        test: to be judged by.
    """

    train: Classified
    val: Classified
    test: Classified


@dataclass(frozen=True)
class Row:
    """A classifier on the features of one encoder.

    Attributes:
        examples: the schema of the examples.
        weights: the encoder's: trained, pretrained or random.
        answer: what the classifier came to.
        confusion: the test's counts.
    """

    examples: str
    weights: str
    answer: Answer
    confusion: Confusion


def probe(settings: Settings) -> Path:
    """Probe an encoder.

    Args:
        settings: checked for the command `probe`.

    Returns:
        the new folder.

    Raises:
        UserError: the checkpoint or a table cannot be read, or the model reads none of the data set's examples.
    """
    check_writable(Path(settings.log_dir) / FOLDER, f"log_dir={settings.log_dir}")
    model = load(settings.load_path, device_of(settings)) if settings.load_path else None
    found = classified_data(
        settings,
        images=model is None or model.transform is not None,
        texts=model is None or bool(model.encoder.text_size),
    )
    rows, told = [], {}
    for data in found:
        splits = _Splits(data)
        told[data.name] = splits.told()
        print(splits.line())
        for number, (weights, encoder) in enumerate(_encoders(model, data, splits, settings)):
            rows += list(_probed(splits, weights, encoder, settings, with_chance=number == 0))
    table = [(row.examples, row.weights, row.answer.name, row.answer.setting, row.confusion.top1,
              row.confusion.mean_recall) for row in rows]  # fmt: skip
    print(text_table(COLUMNS, table))
    for row in rows:
        if row.answer.remark:
            print(f"{row.examples}, {row.weights}, {row.answer.name}: {row.answer.remark}")
    folder = new_numbered_folder(Path(settings.log_dir) / FOLDER, f"log_dir={settings.log_dir}")
    _write(folder, rows, table, told, settings)
    print(f"probe: {folder}")
    return folder


class _Splits:
    """The labels of a data set's splits, and which rows of them a probe uses.

    Args:
        data: examples of one schema.
    """

    def __init__(self, data: ClassifiedData) -> None:
        self.data = data
        self.held_out = data.tested == VAL or VAL not in data.splits  # validation is a share of the training examples
        names = [TRAIN, data.tested] if self.held_out else [TRAIN, VAL, data.tested]
        self.examples = {name: data.open(name) for name in names}
        first = self.examples[TRAIN]
        self.labels = {}
        for name, examples in self.examples.items():
            if name != TRAIN:
                examples.adopt_classes(first.class_names, f"{first.describe()} has")
            self.labels[name] = labels_of(examples)
        self.classes = class_names_of(first, np.concatenate(list(self.labels.values())))
        self.unknown = sum(int((labels < 0).sum()) for labels in self.labels.values())

    def parts(self) -> dict[str, tuple[str, Any]]:
        """The split and the rows of training, validation and test, of examples whose class is known."""
        known = {name: np.flatnonzero(labels >= 0) for name, labels in self.labels.items()}
        train, val = (TRAIN, known[TRAIN]), (VAL, known.get(VAL))
        if self.held_out:
            settings = self.data.settings
            order = stream(settings.seed, 0, 0, "probe's validation").permutation(known[TRAIN])
            number = min(max(1, round(settings.val_fraction * len(order))), len(order) - 1)
            train, val = (TRAIN, np.sort(order[number:])), (TRAIN, np.sort(order[:number]))
        return {"train": train, "val": val, "test": (self.data.tested, known[self.data.tested])}

    def probe_data(self, features: dict[str, Any]) -> ProbeData:
        """Features of the splits, cut into what a probe uses."""
        cut = {
            part: Classified(features[split], self.labels[split]).rows(rows)
            for part, (split, rows) in self.parts().items()
        }
        return ProbeData(**cut)

    def told(self) -> dict[str, Any]:
        """What results.json says of the data."""
        counts = {part: {"split": split, "examples": len(rows)} for part, (split, rows) in self.parts().items()}
        tables = {name: [str(path) for path in examples.paths] for name, examples in self.examples.items()}
        return {"classes": list(self.classes), **counts, "without_class": self.unknown, "tables": tables}

    def line(self) -> str:
        """The same in a line."""
        counts = [f"{len(rows):,} {part} ({split})" if part != split else f"{len(rows):,} {part}"
                  for part, (split, rows) in self.parts().items()]  # fmt: skip
        left = f"; {self.unknown:,} without a class are left out" if self.unknown else ""
        return f"{self.data.name}: {len(self.classes)} classes; examples: {', '.join(counts)}{left}"


def _encoders(
    model: Model | None, data: ClassifiedData, splits: _Splits, settings: Settings
) -> Iterator[tuple[str, Model]]:
    """The encoders to probe, each with what its weights are."""
    pretrained = model is not None or bool(pretrained_parts(settings, {}))
    if model is None:
        own = model_of_settings(data.settings, data.needs, splits.examples[TRAIN].texts)
        own.encoder.to(own.device)
        yield (PRETRAINED if pretrained else RANDOM), own
    else:
        own = model
        yield TRAINED, own
    if settings.probe_random and pretrained:
        yield RANDOM, untrained_twin(own, settings.seed)


def _probed(splits: _Splits, weights: str, encoder: Model, settings: Settings, with_chance: bool) -> Iterator[Row]:
    """A row for the linear probe and one for the nearest neighbours, and before them one for what chance gives."""
    name = f"{splits.data.name}, {weights}"
    features = {
        split: normalised(features_of(encoder, examples, pooled, settings, f"{name}: {split}").numpy())
        for split, examples in splits.examples.items()
    }
    data = splits.probe_data(features)
    answers = [
        linear_probe(data.train, data.val, data.test, name),
        nearest_neighbours(data.train, data.val, data.test),
    ]
    if with_chance:
        answers.insert(0, _chance(data))
    for answer in answers:
        confusion = Confusion.of(data.test.labels, answer.predicted, splits.classes)
        yield Row(splits.data.name, "–" if answer.name == CHANCE else weights, answer, confusion)


def _chance(data: ProbeData) -> Answer:
    """The class that is commonest in training, for every example."""
    commonest = int(np.bincount(data.train.labels).argmax())
    predicted = np.full(len(data.test.labels), commonest, np.int64)
    return Answer(CHANCE, "commonest class", {}, predicted)


def _write(
    folder: Path, rows: Sequence[Row], table: Sequence[Sequence[object]], told: dict[str, Any], settings: Settings
) -> None:
    """Everything that the folder holds."""
    results = [
        {
            "examples": row.examples,
            "weights": row.weights,
            "classifier": row.answer.name,
            "chosen": row.answer.setting,
            "validation": dict(row.answer.sweep),
            "remark": row.answer.remark,
            **row.confusion.figures(),
        }
        for row in rows
    ]
    asked = {name: getattr(settings, name) for name in ("load_path", "dataset", "data_root", "seed", "val_fraction")}
    write_json(folder / "results.json", {**asked, "data": told, "results": results})
    write_csv(folder / "results.csv", COLUMNS, table)
    for row in rows:
        if row.answer.name == CHANCE:
            continue
        name = "_".join((row.examples, row.weights, row.answer.name.replace(" ", "_")))
        write_csv(folder / f"{name}.csv", CLASS_COLUMNS, row.confusion.rows())
        if row.answer.name == LINEAR_PROBE:
            title = f"{row.examples}: linear probe on {row.weights} features ({row.answer.setting})"
            draw_confusion(row.confusion, folder / f"{name}.png", f"{title}\ntop-1 {row.confusion.top1:.3f}")
