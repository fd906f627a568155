"""The command `predict`: what a trained model says of every row of a file, or of every image of a folder.

Comes in: `load_path`, `input`. Goes out: `output`, and beside it a summary and a list of what could not be used. Rows
are read, answered and written in windows, so memory does not grow with the input, and a job that is killed goes on
where it was (`journal.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import renaissance
from renaissance.data.batches.loader import BatchLoader
from renaissance.inference.features import device_of
from renaissance.inference.model import Model, load
from renaissance.predicting.binding import Binding, bind
from renaissance.predicting.identity import file_identity
from renaissance.predicting.items import Item, ItemMaker
from renaissance.predicting.journal import Journal, Progress, journal_of
from renaissance.predicting.output.closing import (
    check_rejected,
    check_written,
    write_beside,
    write_output,
    write_summary,
)
from renaissance.predicting.output.columns import Columns
from renaissance.predicting.places import REJECTED, beside
from renaissance.predicting.sources.interface import Source
from renaissance.predicting.sources.open import open_source
from renaissance.predicting.windows import Made, Window, Work, WorkMaker, Works
from renaissance.settings import Settings
from renaissance.text_table import printable, text_table


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        model: the trained model.
        source: the input.
        binding: what is read of it.
        settings: of the command.
    """

    model: Model
    source: Source
    binding: Binding
    settings: Settings


def predict(settings: Settings) -> Path:
    """Answer every example of the input.

    Args:
        settings: checked for the command `predict`.

    Returns:
        the output.

    Raises:
        UserError: the checkpoint or the input cannot be read, the input has nothing that the model reads, too many
            rows cannot be used, or a journal is there of another job.
        DiskFull: there is no room for the answers.
    """
    assert settings.input is not None
    assert settings.output is not None
    output = Path(settings.output)
    model = load(settings.load_path, device_of(settings))
    source = open_source(Path(settings.input))
    binding = bind(model, source, settings.task, settings.columns, settings.keep)
    _say(source, binding)
    job = Job(model, source, binding, settings)
    with journal_of(output, _job(settings, source)) as journal:
        if output.exists():
            check_written(output, journal)
            print(f"complete: all {journal.progress.rows:,} rows were done, and the answers are written")
        else:
            if journal.resumed:
                print(f"going on from row {journal.progress.rows:,}, with what {journal.path} has")
            _work(job, journal)
            check_rejected(output, journal, settings.max_rejected_fraction, source.path)
            _close(job, journal, output)
        journal.path.unlink()
    print(f"predictions: {output}")
    return output


def _job(settings: Settings, source: Source) -> dict[str, Any]:
    """What has to be the same for a job to go on, by the settings' names."""
    return {
        "input": source.identity(),
        "load_path": file_identity(Path(settings.load_path)),
        "task": settings.task,
        "columns": settings.columns,
        "keep": settings.keep,
        "version": renaissance.__version__,
    }


def _say(source: Source, binding: Binding) -> None:
    """Which column is taken for what, and what is left out."""
    for question in binding.questions:
        read = [f"{field} is the column {one.column!r}" if field != one.column else field
                for field, one in (*question.fields.items(), *question.answers.items())]  # fmt: skip
        names = ", ".join(question.asked.tasks)
        print(printable(f"{names}: reads {', '.join(read)}"))
        if question.half:
            print(printable(f"{names}: no metrics, for {source.path} has no {' and no '.join(question.half)}"))
    for task, fields in binding.unasked.items():
        print(printable(f"{task}: not asked, for {source.path} has no {' and no '.join(fields)}"))


def _work(job: Job, journal: Journal) -> None:
    """Answer what the journal does not have yet."""
    settings, questions = job.settings, job.binding.questions
    maker = ItemMaker(job.source, job.binding, job.model.label_names)
    works = Works(job.source, job.binding.columns, journal.progress.rows, maker, questions, settings.eval_batch_size)
    batches = [
        one.asked.batches(job.model, {name: bound.type for name, bound in one.answers.items()}) for one in questions
    ]
    columns = [{name: bound.column for name, bound in one.fields.items()} for one in questions]
    loader = BatchLoader(
        WorkMaker(batches, columns), works, settings.worker_processes(), job.model.device.type == "cuda"
    )
    started, before = time.monotonic(), journal.progress.seconds
    unit = "row" if job.source.rows is not None else "B"
    with (
        torch.no_grad(),
        tqdm(
            total=job.source.size, desc="predict", unit=unit, unit_scale=unit == "B", disable=None, leave=False
        ) as bar,
    ):
        try:
            for window in _answered_windows(job, works, loader):
                seconds = before + time.monotonic() - started
                _close_window(job.binding, journal, window, seconds)
                bar.update(window.position - bar.n)
        finally:
            loader.close()


def _answered_windows(job: Job, works: Works, loader: BatchLoader) -> Iterator[Window]:
    """The windows of the input, each when all of it is answered."""
    made: Any
    for made in loader:
        window, work = works.under_way.popleft()
        _answer(job, window, work, made)
        window.waiting -= 1
        while works.windows and not works.windows[0].waiting:
            yield works.windows.popleft()
    while works.windows:  # the last ones, where no example of theirs could be asked anything
        yield works.windows.popleft()


def _answer(job: Job, window: Window, work: Work, made: Made) -> None:
    """Have the tasks answer a batch."""
    for place, fault in made.faults.items():
        window.items[place].fault = fault
    if made.batch is None:
        return
    question = job.binding.questions[work.question]
    step = job.model.step(made.batch)
    for name, task in question.asked.tasks.items():
        for place, answer in zip(made.places, task.answers(step), strict=True):
            window.answers[place][name] = answer
        if question.answers and task.declaration.predicts:
            found = task(step).values_of_examples(step.batch.examples)
            for place, values in zip(made.places, found, strict=True):
                window.values[place][name] = values


def _close_window(binding: Binding, journal: Journal, window: Window, seconds: float) -> None:
    """Write a window's answers into the journal."""
    entries = [
        _entry(binding, item, answers, values)
        for item, answers, values in zip(window.items, window.answers, window.values, strict=True)
    ]
    rejected = sum(item.fault is not None for item in window.items)
    done = journal.progress
    answered = done.answered + len(entries) - rejected
    journal.close_window(entries, Progress(window.next_row, answered, done.rejected + rejected, seconds))


def _entry(binding: Binding, item: Item, answers: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A line of the journal: r the row, i the text of it, k what is carried along, a answers, v values of metrics,
    w the class that is right, u answers that are no class; or x the fault, and at where it is.
    """
    if item.fault is not None:
        return {"r": item.row, "i": item.number, "x": [item.fault.field, item.fault.reason], "at": item.where}
    right = {
        name: item.answers[number]["label"]
        for number, question in enumerate(binding.questions)
        for name in question.asked.tasks
        if "label" in question.answers
    }
    entry = {"r": item.row, "i": item.number, "k": item.kept, "a": answers}
    known = {"v": values, "w": right} if any(values.values()) else {}
    return {**entry, **known, **({"u": item.unknown} if item.unknown else {})}


def _close(job: Job, journal: Journal, output: Path) -> None:
    """Write everything, and say how it went."""
    columns = Columns(list(job.binding.kept), job.model.label_names, job.source.typing == "texts")
    progress = journal.progress
    scores, unknown = write_beside(output, journal, job.binding, columns, job.model.label_names)
    metrics = {f"{task}/{name}": value for task, score in scores.items() for name, value in score.metrics().items()}
    write_summary(
        output,
        {
            "input": str(job.source.path),
            "output": str(output),
            "checkpoint": job.settings.load_path,
            "tasks": list(job.binding.tasks),
            "not_asked": {task: list(fields) for task, fields in job.binding.unasked.items()},
            "rows": progress.rows,
            "answered": progress.answered,
            "rejected": progress.rejected,
            "seconds": progress.seconds,
            "metrics": metrics,
            "with_known_answers": {task: score.examples for task, score in scores.items()},
            "unknown_labels": {column: count for column, (count, _) in unknown.items()},
        },
    )
    write_output(output, journal, columns)
    pace = progress.answered / progress.seconds if progress.seconds else 0.0
    header: Sequence[str] = ("rows", "answered", "rejected", "seconds", "answers/s")
    print(text_table(header, [(progress.rows, progress.answered, progress.rejected, progress.seconds, pace)]))
    if metrics:
        print(text_table(("metric", "value"), list(metrics.items())))
    for column, (count, first) in unknown.items():
        print(
            printable(f"{column}: {count:,} values are none of the classes, such as {first!r}; they count as unknown")
        )
    if progress.rejected:
        print(f"rejected: {beside(output, REJECTED)}")
