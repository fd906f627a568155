"""`predict`: what a trained model says of every row of a file, into another file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration
from renaissance.predicting.places import OUTPUTS, REJECTED, SUMMARY, beside, partial_of

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _from_and_to(settings: Settings) -> Iterator[str]:
    if not settings.load_path:
        yield "load_path: say which checkpoint to use, such as load_path=result/finetune_imdb/1/checkpoints/best.ckpt"
    if settings.input is None:
        yield "input: say what to predict: a file (.csv, .jsonl, .parquet, .arrow) or a folder of images"
    elif not Path(settings.input).exists():
        yield f"input={settings.input!r}: there is no such file or folder"
    elif not (Path(settings.input).is_file() or Path(settings.input).is_dir()):
        yield f"input={settings.input!r}: is no plain file"
    if settings.output is None:
        yield "output: say where the answers go, such as output=answers.csv"
    else:
        yield from _new_output(Path(settings.output))


def _new_output(output: Path) -> Iterator[str]:
    """The output is of a kind that is written, and nothing is in its place."""
    if output.suffix.lower() not in OUTPUTS:
        yield f"output={str(output)!r}: must end in {', '.join(OUTPUTS)}"
    if partial_of(output).exists():
        return  # a job that was stopped goes on
    for path in (output, beside(output, REJECTED), beside(output, SUMMARY)):
        if path.exists():
            yield f"output={str(output)!r}: {path} is there already, and nothing is overwritten; give a new file"
            return


COMMAND = CommandDeclaration(
    name="predict",
    meaning="Answer every row of a file: with load_path=<checkpoint> input=<file or folder> output=<file>.",
    work="renaissance.predicting.predict:predict",
    needs=(_from_and_to,),
    builds_a_model=True,
)
