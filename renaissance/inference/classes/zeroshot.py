"""The command `zeroshot`: images told apart by their classes' names alone, in the joint space of a contrastive model.

Comes in: `load_path`, `dataset`, `templates` and `class_names`. Goes out: a table on the terminal and a new numbered
folder `<log_dir>/zeroshot/<n>` with results.json, the recalls by class and a confusion picture. Images are read in
batches, and nothing is kept of them but what they were taken for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from renaissance.atomic_files import write_csv, write_json
from renaissance.data.examples.tables import TableExamples
from renaissance.errors import UserError
from renaissance.inference.classes.counts import CLASS_COLUMNS, Confusion
from renaissance.inference.classes.examples import ClassifiedData, class_names_of, classified_data, labels_of
from renaissance.inference.classes.picture import draw_confusion
from renaissance.inference.classes.prompts import alike, best_classes, class_vectors, read_templates, renamed
from renaissance.inference.features import device_of, stream_features
from renaissance.inference.model import Model, load
from renaissance.settings import Settings
from renaissance.text_table import printable, text_table
from renaissance.tracking.run_folder import check_writable, new_numbered_folder

FOLDER = "zeroshot"  # under log_dir
COLUMNS = ("", "top-1", "top-5", "mean recall")
TOP = 5


@dataclass(frozen=True)
class Recognised:
    """What a model took the images of a split for.

    Attributes:
        split: its name.
        confusion: the counts, of the classes as they are called.
        top5: the share of the images whose class is among the five likeliest; None where there are no more than five.
        alike: classes that the text encoder cannot tell apart, in groups.
        without_class: images that were left out, for their class is not known.
        tables: the files that were read.
    """

    split: str
    confusion: Confusion
    top5: float | None
    alike: list[list[str]]
    without_class: int
    tables: list[str]


def zeroshot(settings: Settings) -> Path:
    """Classify a data set's images without having trained for it.

    Args:
        settings: checked for the command `zeroshot`.

    Returns:
        the new folder.

    Raises:
        UserError: the checkpoint has no joint space, a table or the templates cannot be read, or the data set has no
            images with classes.
    """
    model = load(settings.load_path, device_of(settings))
    model.joint_space()
    check_writable(Path(settings.log_dir) / FOLDER, f"log_dir={settings.log_dir}")
    templates = read_templates(settings.templates)
    data = classified_data(settings, images=True, texts=False)[0]
    found = recognise(model, data, templates, settings)
    number = len(found.confusion.names)
    rows = [
        ("chance", 1 / number, TOP / number if number > TOP else None, 1 / number),
        ("zero-shot", found.confusion.top1, found.top5, found.confusion.mean_recall),
    ]
    examples = int(found.confusion.counts.sum())
    print(f"{data.name}: {examples:,} images of {number} classes ({found.split}); {len(templates)} templates")
    print(text_table(COLUMNS, rows))
    print(text_table(CLASS_COLUMNS, found.confusion.rows()))
    for remark in _remarks(found):
        print(remark)
    folder = new_numbered_folder(Path(settings.log_dir) / FOLDER, f"log_dir={settings.log_dir}")
    asked = {name: getattr(settings, name) for name in ("load_path", "dataset", "data_root")}
    told = {"split": found.split, "templates": templates, "alike": found.alike, "without_class": found.without_class,
            "tables": found.tables, "examples": examples, "top5": found.top5, "chance": 1 / number}  # fmt: skip
    write_json(folder / "results.json", {**asked, **told, **found.confusion.figures()})
    write_csv(folder / "classes.csv", CLASS_COLUMNS, found.confusion.rows())
    title = f"{data.name} ({found.split}): zero-shot, top-1 {found.confusion.top1:.3f}"
    draw_confusion(found.confusion, folder / "confusion.png", title)
    print(f"zeroshot: {folder}")
    return folder


def recognise(model: Model, data: ClassifiedData, templates: Sequence[str], settings: Settings) -> Recognised:
    """Take every image of a split for the class whose prompts are nearest.

    Args:
        model: with a joint space.
        data: images in classes.
        templates: of the prompts.
        settings: of the command.

    Raises:
        UserError: the split is not there, an image cannot be read, or the classes have no names.
    """
    examples = data.open(_split(data, settings.split))
    labels = labels_of(examples)
    names, numbers = renamed(*_names_of(examples, labels), settings.class_names)
    vectors = class_vectors(model, names, templates, settings.eval_batch_size)
    blocks = stream_features(model, examples, model.joint_space().embed_image, settings, "zeroshot")
    likeliest = np.concatenate([best_classes(block, vectors, TOP).numpy() for block in blocks])
    known = labels >= 0
    true, likeliest = numbers[labels[known]], likeliest[known]
    top5 = float(np.mean((likeliest == true[:, None]).any(axis=1))) if len(names) > TOP else None
    return Recognised(
        split=_split(data, settings.split),
        confusion=Confusion.of(true, likeliest[:, 0], names),
        top5=top5,
        alike=alike(names, vectors),
        without_class=int((~known).sum()),
        tables=[str(path) for path in examples.paths],
    )


def _names_of(examples: TableExamples, labels: np.ndarray) -> tuple[list[str] | None, int]:
    """The names of a table's classes, if it has some, and their number."""
    return examples.class_names, len(class_names_of(examples, labels))


def _split(data: ClassifiedData, wanted: str | None) -> str:
    if wanted is not None and wanted not in data.splits:
        raise UserError(f"split={wanted!r}: the data set has {', '.join(data.splits)}")
    return wanted or data.tested


def _remarks(found: Recognised) -> list[str]:
    remarks = [
        f"{printable(', '.join(group))}: the text encoder cannot tell these apart; are their words unknown to it? Try "
        "other class_names or templates"
        for group in found.alike
    ]
    if found.without_class:
        remarks.append(f"{found.without_class:,} images without a class are left out")
    return remarks
