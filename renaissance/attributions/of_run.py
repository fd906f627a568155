"""Attributions at the end of a run: what its best model's answers to some validation examples rest on.

In: the run's best checkpoint and its examples. Out: `attributions/<task>.json`, and a sheet of them for each task,
`plots/attributions_<task>.png`. The model is read from the checkpoint, so nothing of the run's own is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from tqdm import tqdm

from renaissance.atomic_files import write_json
from renaissance.attributions.occlusion import occlusion
from renaissance.attributions.sheet import Explained, write_sheet
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import restore
from renaissance.data.examples.interface import TRAIN, VAL, Examples
from renaissance.errors import UserError
from renaissance.inference.model import Model
from renaissance.stop_signals import STOP
from renaissance.tasks.common.pictures import evenly
from renaissance.tasks.common.task import Task
from renaissance.tracking.drawing.words import capital, task_title
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.trackers.interface import ShowPicture

MOST_PATCHES = 64  # cells of a picture that are tried: a run does not wait long for its sheets
MOST_WORDS = 100


class Group(Protocol):
    """Tasks that read the same examples, and those by split."""

    @property
    def tasks(self) -> Sequence[str]: ...

    @property
    def examples(self) -> Mapping[str, Examples]: ...


def write_attributions(
    checkpoint: str, device: Any, groups: Iterable[Group], most: int, folder: RunFolder, show: ShowPicture
) -> None:
    """Write files and sheets of all tasks; of those that cannot say what they rest on, say why on the terminal.

    Args:
        checkpoint: the file with the run's best weights.
        device: where to compute.
        groups: the run's tasks with their examples.
        most: examples of each task.
        folder: the run's.
        show: hands a sheet on, as `attributions/<task>`.
    """
    read = read_checkpoint(checkpoint)
    model = Model(restore(read), device)
    for group in groups:
        split = next((name for name in (VAL, *group.examples) if name in group.examples and name != TRAIN), TRAIN)
        examples = group.examples.get(split)
        for name in group.tasks if examples is not None and len(examples) else ():
            assert examples is not None
            try:
                explained = _explained(model, name, examples, most)
            except UserError as error:
                print(f"attributions of {name}: {error}")
                continue
            rows = [{**one.attribution.plain(), "source": one.source, "right": one.right} for one in explained]
            folder.attributions.mkdir(exist_ok=True)
            folder.plots.mkdir(exist_ok=True)
            write_json(folder.attributions / f"{name}.json", {"split": split, "examples": rows})
            title = f"{capital(task_title(name))}: what answers rest on, {split}, step {read.global_step:,}"
            sheet = write_sheet(explained, folder.plots / f"attributions_{name}.png", title)
            show(f"attributions/{name}", sheet, read.global_step)


def _explained(model: Model, name: str, examples: Examples, most: int) -> list[Explained]:
    """Examples at even distances through a split, with what the answers to them rest on."""
    task: Task = model.tasks[name]
    found = []
    for row in tqdm(
        evenly(examples, most), desc=f"attributions of {name}", disable=None, leave=False, delay=1, unit="example"
    ):
        STOP.check()
        index = examples.of_row(row).start
        question = task.question(examples, index)
        attribution = occlusion(model, question.example, name, most_patches=MOST_PATCHES, most_words=MOST_WORDS)
        found.append(Explained(question.example, question.right, examples.where(index), attribution))
    return found
