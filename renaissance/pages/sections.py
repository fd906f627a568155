"""The parts of a report, each as HTML: what of runs is the same for all readers, without a script."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from renaissance.pages.html import Content, Html, number_text, table, tag
from renaissance.pages.pictures import picture_inside
from renaissance.pages.runs import (
    PageRun,
    best_of,
    changed_settings,
    differing_settings,
    result_names,
    sample_texts,
    value_text,
)
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.metrics import more_is_better, split_of

MOST_SHEETS = 4  # of a run: the first, and the newest
MOST_PREDICTIONS = 10  # rows of a split
MOST_SAMPLES = 12  # rows of the texts beside a sheet
LONG = 600  # characters of a cell of predictions or samples
STATUS_WORDS = {
    "running": "is still running: what stands here is what it has come to so far",
    "interrupted": "was interrupted, and can be resumed",
    "crashed": "did not come to its end, and did not write why",
    "broken": "cannot be read in full",
}
FACTS = {
    "monitor": "best by", "best_step": "best at step", "stopped_early": "stopped early", "steps": "optimiser steps",
    "skipped_steps": "skipped steps", "examples_per_second": "examples a second", "peak_memory_bytes": "peak memory",
    "effective_batch_size": "examples a step", "device": "device", "examples": "examples",
}  # fmt: skip


def status_badge(status: str) -> Html:
    """How a run stands, as a word with a colour."""
    return tag("span", status, class_=f"status {status}")


def overview(runs: Sequence[PageRun], places: Mapping[str, str]) -> Html:
    """A row a run: how it stands, how long it took, what it came to.

    Args:
        runs: the runs.
        places: by a run's name the anchor of its part of the page.
    """
    tested = list(dict.fromkeys(name for run in runs for name in run.listed.tested))
    few = tested if len(tested) <= 6 else []
    header = ("run", "status", "tasks", "best by", "best", "at step", *few, "steps", "took", "seed", "began")
    rows: list[list[Content]] = []
    for run in runs:
        one = run.listed
        of = f" of {one.total_steps:,}" if one.total_steps and one.step != one.total_steps else ""
        rows.append([
            tag("a", one.name, href=f"#{places[one.name]}"), status_badge(one.status), ", ".join(one.tasks),
            one.monitor, one.best, one.best_step, *(one.tested.get(name) for name in few),
            f"{number_text(one.step)}{of}", duration(one.seconds), one.seed, moment(one.started),
        ])  # fmt: skip
    return table(header, rows)


def remarks(runs: Sequence[ListedRun]) -> Html:
    """What is to be known of runs that did not come to their end."""
    told = [
        tag("li", tag("b", run.name), f" {'; '.join(filter(None, (STATUS_WORDS[run.status], run.remark, run.error)))}")
        for run in runs
        if run.status in STATUS_WORDS
    ]
    return tag("ul", told, class_="remarks") if told else Html()


def results(runs: Sequence[PageRun]) -> Html:
    """A row a metric and split, a column a run: its last value, of validations its best too. A row's best is bold."""
    rows: list[list[Content]] = []
    for name in result_names(runs):
        last = [run.points[name][-1].value if name in run.points else None for run in runs]
        rows.append([name, *_with_best_bold(name, last)])
        if split_of(name) == "val":
            points = [best_of(run, name) for run in runs]
            values = _with_best_bold(name, [point and point.value for point in points])
            steps = [tag("small", f" at {point.step:,}") if point else None for point in points]
            cells = [[value, step] for value, step in zip(values, steps, strict=True)]
            rows.append([[name, tag("small", " best")], *cells])
    return table(("metric", *(run.name for run in runs)), rows, "results")


def _with_best_bold(name: str, values: Sequence[float | None]) -> list[Content]:
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    best = (max if more_is_better(name) else min)(numbers) if len(numbers) > 1 and split_of(name) != "train" else None
    return [tag("b", value) if value is not None and value == best else value for value in values]


def settings_that_differ(runs: Sequence[PageRun]) -> Html | None:
    """A row a setting that is not the same in all runs; None where there is none."""
    names = differing_settings([run.listed for run in runs])
    rows = [[name, *(_setting(run.listed, name) for run in runs)] for name in names]
    return table(("setting", *(run.name for run in runs)), rows, "settings") if rows else None


def _setting(run: ListedRun, name: str) -> Content:
    if name not in run.settings:
        return None
    return [value_text(run.settings[name]), tag("small", " (changed by a resume)") if name in run.changed else None]


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
            rows.append((words, _plain(value)))
    return table(("figure", "value"), rows, "facts") if rows else None


def _all_settings(run: ListedRun) -> Html:
    """Every setting, those that are other than by default marked."""
    changed = changed_settings(run.settings)
    rows = []
    for name in run.settings:
        cells = tag("th", name, scope="row"), tag("td", _setting(run, name))
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
        [(name, _plain(n), _plain(begun.get(name, ""))) for name, n in counts.items()],
    )


def _environment(run: PageRun) -> Html | None:
    rows = [(name, _plain(version)) for name, version in run.listed.versions.items()]
    start = run.calls[0] if run.calls else {}
    rows += [(name, _plain(start[name])) for name in ("host", "folder") if name in start]
    return table(("what", "version"), rows) if rows else None


def _commands(run: PageRun) -> Html | None:
    rows: list[list[Content]] = []
    for number, call in enumerate(run.calls):
        command = call.get("command")
        words = shlex.join(["python", *map(str, command)]) if isinstance(command, list) else ""
        changed = call.get("changed")
        told = [f"{name}: {_told(values)}" for name, values in changed.items()] if isinstance(changed, dict) else []
        when = "start" if number == 0 else f"resumed at step {_plain(call.get('step'))}"
        rows.append([when, _plain(call.get("started")), tag("code", words), "; ".join(told)])
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


def _plain(value: object) -> Content:
    """A value that a file may hold, as a cell: numbers and texts as they are, anything else in JSON."""
    return value if isinstance(value, str | int | float) or value is None else value_text(value)


def duration(seconds: float | None) -> str:
    """Seconds in words, such as "1 h 05 min"; a dash where they are not known."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def moment(seconds: float | None) -> str:
    """A moment of the clock (UTC), such as "2026-11-27 00:01"."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
