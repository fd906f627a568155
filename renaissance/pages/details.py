"""What of a report is one run's own, as HTML: its figures, settings, parts, commands, samples and predictions."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from renaissance.pages.html import Content, Html, number_text, table, tag
from renaissance.pages.pictures import picture_inside
from renaissance.pages.runs import PageRun, changed_settings, sample_texts
from renaissance.pages.sections import plain, remarks, setting_cell, status_badge
from renaissance.text_table import value_text
from renaissance.tracking.listed_run import ListedRun

MOST_SHEETS = 4  # of a run: the first, and the newest
MOST_PREDICTIONS = 10  # rows of a split
MOST_SAMPLES = 12  # rows of the texts beside a sheet
LONG = 600  # characters of a cell of predictions or samples
FACTS = {
    "monitor": "best by", "best_step": "best at step", "stopped_early": "stopped early", "steps": "optimiser steps",
    "skipped_steps": "skipped steps", "examples_per_second": "examples a second", "peak_memory_bytes": "peak memory",
    "effective_batch_size": "examples a step", "device": "device", "examples": "examples",
}  # fmt: skip


def run_details(run: PageRun, place: str) -> Html:
    """All of a run that is its own: its figures, settings, parts, commands, samples and predictions."""
    one = run.listed
    parts = (
        _figures(run), _folded(f"All settings ({len(one.settings)})", _all_settings(one) if one.settings else None),
        _folded("Parameters by part", _parts(run.summary)), _folded("Environment", _environment(run)),
        _folded("Commands", _commands(run)), _folded("Samples", _samples(run), opened=True),
        _folded("First predictions", _predictions(run)),
    )  # fmt: skip
    heading = tag("h3", one.name, " ", status_badge(one.status))
    return tag("section", heading, tag("p", str(one.folder.path), class_="note"), remarks([one]), parts, id=place)


def _folded(heading: str, content: Html | None, opened: bool = False) -> Html | None:
    return tag("details", tag("summary", heading), content, open=opened) if content else None


def _figures(run: PageRun) -> Html | None:
    summary = run.summary
    rows = []
    for name, words in FACTS.items():
        value = summary.get(name)
        if name == "peak_memory_bytes" and isinstance(value, int | float):
            value = f"{value / 1e6:,.0f} MB"
        elif isinstance(value, dict):
            value = ", ".join(f"{key} {number_text(count)}" for key, count in value.items())
        if value not in (None, "", {}):
            rows.append((words, plain(value)))
    return table(("figure", "value"), rows, "facts") if rows else None


def _all_settings(run: ListedRun) -> Html:
    """Every setting, those that are other than by default marked."""
    changed = changed_settings(run.settings)
    rows = []
    for name in run.settings:
        cells = tag("th", name, scope="row"), tag("td", setting_cell(run, name))
        rows.append(tag("tr", cells, class_="changed" if name in changed else None))
    search = tag("input", type="search", class_="search", placeholder="search settings", aria_label="search settings")
    only = tag(
        "label", tag("input", type="checkbox", class_="only"), "only those that are not the defaults", class_="control"
    )
    body = tag("table", tag("tbody", rows), class_="settings")
    return tag("div", search, only, tag("div", body, class_="wide", tabindex=0), class_="searchable")


def _parts(summary: Mapping[str, Any]) -> Html | None:
    counts, beginnings = summary.get("parameters"), summary.get("parts_from")
    if not isinstance(counts, dict) or not counts:
        return None
    begun = beginnings if isinstance(beginnings, dict) else {}
    return table(
        ("part", "parameters", "weights from"),
        [(name, plain(n), plain(begun.get(name, ""))) for name, n in counts.items()],
    )


def _environment(run: PageRun) -> Html | None:
    rows = [(name, plain(version)) for name, version in run.listed.versions.items()]
    start = run.calls[0] if run.calls else {}
    rows += [(name, plain(start[name])) for name in ("host", "folder") if name in start]
    return table(("what", "version"), rows) if rows else None


def _commands(run: PageRun) -> Html | None:
    rows: list[list[Content]] = []
    for number, call in enumerate(run.calls):
        command = call.get("command")
        words = shlex.join(["python", *map(str, command)]) if isinstance(command, list) else ""
        changed = call.get("changed")
        told = [f"{name}: {_told(values)}" for name, values in changed.items()] if isinstance(changed, dict) else []
        when = "start" if number == 0 else f"resumed at step {plain(call.get('step'))}"
        rows.append([when, plain(call.get("started")), tag("code", words), "; ".join(told)])
    return table(("", "when", "command", "settings changed"), rows, "commands") if rows else None


def _told(values: object) -> str:
    return " → ".join(map(value_text, values)) if isinstance(values, list) else value_text(values)


def _samples(run: PageRun) -> Html | None:
    names = run.sheets
    shown = names if len(names) <= MOST_SHEETS else [names[0], *names[1 - MOST_SHEETS :]]
    left_out = f"{len(shown)} of {len(names)} sheets: the first and the newest." if len(shown) < len(names) else ""
    return tag("div", tag("p", left_out, class_="note"), [_sheet(run, name) for name in shown]) if shown else None


def _sheet(run: PageRun, name: str) -> list[Content]:
    """A sheet of samples, and the texts beside it."""
    picture = picture_inside(run.path, name)
    if picture is None:
        return [tag("p", f"{name} cannot be shown.", class_="note")]
    size = {"width": picture.width, "height": picture.height}
    image = tag("img", src=picture.uri, alt=f"samples: {name}", loading="lazy", **size)
    words = f"{name}, made smaller: the file has all its pixels" if picture.reduced else name
    texts = [[_short(cell) for cell in row] for row in sample_texts(run, name, MOST_SAMPLES) if row]
    written = _folded(f"texts of {name}", table(texts[0], texts[1:])) if len(texts) > 1 else None
    return [tag("figure", tag("figcaption", words), image), written]


def _predictions(run: PageRun) -> Html | None:
    parts: list[Content] = []
    for name, rows in run.predictions(MOST_PREDICTIONS).items():
        header = list(dict.fromkeys(key for row in rows for key in row))
        if header:
            parts += [
                tag("h4", name),
                table(header, [[_short(value_text(row.get(key))) for key in header] for row in rows]),
            ]
    return tag("div", parts) if parts else None


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]} …"
