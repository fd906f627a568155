"""The table of all settings in docs/settings.md, made from `config.py` and the types of `Settings`.

    python -m renaissance.settings.table                            prints it
    python -m renaissance.settings.table --write docs/settings.md   puts it between the page's markers

`config.py` is read as text: names, defaults and comments in their order, so nothing of it is run.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import tokenize
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from renaissance.atomic_files import whole_file
from renaissance.settings.check import allowed_words
from renaissance.settings.on_resume import on_resume
from renaissance.settings.schema import Settings

CONFIG = Path(__file__).resolve().parents[2] / "config.py"
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"
COLUMNS = ("setting", "default", "must be", "on resume", "what it is")
HEADING = re.compile(r"# == (.+) ==")


@dataclass(frozen=True)
class Row:
    """A setting as `config.py` has it: its group's heading, its default as source text, its comment."""

    group: str
    name: str
    default: str
    meaning: str


def settings_table(config: Path = CONFIG) -> str:
    """The settings in Markdown: links to the groups of `config.py`, then a heading and a table for each."""
    rows = read_defaults(config.read_text(encoding="utf-8"))
    groups = dict.fromkeys(row.group for row in rows)
    lines = [" · ".join(f"[{group}](#{anchor(group)})" for group in groups)]
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        field = Settings.model_fields[row.name]
        cells = [f"`{row.name}`", f"`{row.default}`", allowed_words(field), on_resume(field).value, row.meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def anchor(heading: str) -> str:
    """What GitHub makes of a heading, to link to it: "How long" becomes "how-long"."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def read_defaults(source: str) -> list[Row]:
    """The settings that the function `defaults` of `config.py` assigns, in order."""
    function = next(
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "defaults"
    )
    lines = source.splitlines()
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    headings = {line: found[1] for line, comment in comments.items() if (found := HEADING.fullmatch(comment))}
    rows, group = [], ""
    for above, statement in pairwise([function, *function.body]):
        group = next((headings[line] for line in range(above.lineno, statement.lineno) if line in headings), group)
        if not isinstance(statement, ast.Assign):
            continue
        target, value = statement.targets[0], statement.value
        assert isinstance(target, ast.Name)
        assert value.lineno == value.end_lineno, f"{target.id}: its default must stand on one line"
        default = lines[value.lineno - 1].encode()[value.col_offset : value.end_col_offset].decode()
        meaning = comments.get(statement.lineno, "").removeprefix("#").strip()
        rows.append(Row(group, target.id, default, meaning))
    return rows


def put_table(document: str, table: str) -> str:
    """The document with the table between its markers.

    Raises:
        ValueError: if the markers are not there.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the markers {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def main() -> None:
    """Print the table, or write it into a document."""
    parser = argparse.ArgumentParser(description="The table of all settings.")
    parser.add_argument("--write", type=Path, metavar="docs/settings.md", help="the document to put it into")
    document = parser.parse_args().write
    if document is None:
        print(settings_table(), end="")
        return
    with whole_file(document) as temporary:
        temporary.write_text(put_table(document.read_text(encoding="utf-8"), settings_table()), encoding="utf-8")


if __name__ == "__main__":
    main()
