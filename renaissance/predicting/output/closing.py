"""The end of a job: from its journal to the file of answers, the list of rejected rows and the summary.

In: the journal of a job that is done. Out: `<output>`, `<output>.summary.json`, `<output>.rejected.csv` where rows were
rejected, and for each task with known classes the picture `<output>.<task>_confusion.png`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from renaissance.atomic_files import write_csv, write_json
from renaissance.errors import UserError
from renaissance.inference.classes.picture import draw_confusion
from renaissance.predicting.binding import Binding
from renaissance.predicting.identity import file_identity
from renaissance.predicting.journal import Journal
from renaissance.predicting.output.columns import Columns
from renaissance.predicting.output.scores import Scores
from renaissance.predicting.output.writing import write_answers
from renaissance.predicting.places import REJECTED, SUMMARY, beside

REJECTED_COLUMNS = ("row", "field", "reason", "where", "item")


def list_rejected(output: Path, journal: Journal) -> Path:
    """Write the list of what could not be used."""
    path = beside(output, REJECTED)
    rows = ((entry["r"], *entry["x"], entry["at"], entry["i"]) for entry in journal.entries() if "x" in entry)
    write_csv(path, REJECTED_COLUMNS, rows)
    return path


def check_written(output: Path, journal: Journal) -> None:
    """See that a file of answers that is there already is the one that the job wrote before it was killed.

    Raises:
        UserError: it is another one; the journal stays.
    """
    if journal.progress.output != file_identity(output):
        raise UserError(
            f"output={str(output)!r}: is there already, and is not what this job wrote; nothing is overwritten. Move "
            f"it away, and the same command goes on with what {journal.path} has; or give another output."
        )


def check_rejected(output: Path, journal: Journal, most: float, source: Path) -> None:
    """See that not too much was rejected.

    Args:
        output: of the job.
        journal: of the job, which stays.
        most: the share of all examples that may be.
        source: the input, for the message.

    Raises:
        UserError: more than that were.
    """
    progress = journal.progress
    whole = progress.answered + progress.rejected
    if not whole or progress.rejected / whole <= most:  # 29 / 100 is 0.29, and 0.29 * 100 is less than 29
        return
    first = next(entry for entry in journal.entries() if "x" in entry)
    field, reason = first["x"]
    raise UserError(
        f"{source}: {progress.rejected:,} of {whole:,} rows cannot be used, more than max_rejected_fraction={most:g} "
        f"allows; the first is row {first['r']}{': ' + field if field else ''} ({reason}). All are listed in "
        f"{list_rejected(output, journal)}. The answers so far are kept in {journal.path}: with a higher "
        "max_rejected_fraction the same command writes them out, and computes nothing again. Or mend the rows, delete "
        "both files, and run it again."
    )


def write_beside(
    output: Path, journal: Journal, binding: Binding, columns: Columns, class_names: Mapping[str, list[str]]
) -> tuple[dict[str, Scores], dict[str, tuple[int, str]]]:
    """Write what goes with the file of answers: the list of rejected rows, and the pictures.

    Args:
        output: the file.
        journal: of the job.
        binding: which tasks were asked.
        columns: of the file, which have seen nothing as yet, and then all answers.
        class_names: by task the classes that it tells apart.

    Returns:
        by task how good its answers are, where that is known; and by column how many of its values are none of the
        classes, with the first of them.
    """
    scores = {name: Scores(task, class_names.get(name)) for name, task in binding.tasks.items()}
    unknown: dict[str, tuple[int, str]] = {}
    for entry in journal.entries():
        for column, value in entry.get("u", {}).items():
            count, first = unknown.get(column, (0, value))
            unknown[column] = count + 1, first
        if "a" in entry:
            columns.look_at(entry)
            for task, values in entry.get("v", {}).items():
                if values:
                    scores[task].add(values, entry.get("w", {}).get(task), entry["a"][task])
    if journal.progress.rejected:
        list_rejected(output, journal)
    scored = {task: score for task, score in scores.items() if score.examples}
    for task, score in scored.items():
        if score.confusion is not None:
            draw_confusion(score.confusion, beside(output, f"{task}_confusion.png"), f"{task}: {output.name}")
    return scored, unknown


def write_output(output: Path, journal: Journal, columns: Columns) -> None:
    """Write the file of answers: the last thing, for where it is there, a job counts as done.

    Args:
        output: the file.
        journal: of the job.
        columns: of the file, which have seen all answers.
    """
    answers = (entry for entry in journal.entries() if "a" in entry)
    write_answers(output, answers, columns, lambda whole: journal.written(file_identity(whole)))


def write_summary(output: Path, content: Mapping[str, Any]) -> None:
    """Write the summary."""
    write_json(beside(output, SUMMARY), content)
