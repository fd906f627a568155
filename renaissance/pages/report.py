"""`report`: one self-contained HTML file of some runs, to read, keep and send. No PyTorch here.

Comes in: the folders of runs, however they ended. Goes out: a new numbered folder with `report.html`, which opens from
disk, fetches nothing, and holds settings, curves, tables, samples, environment and commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import renaissance
from renaissance.atomic_files import whole_file
from renaissance.pages import sections
from renaissance.pages.html import Html, document, tag
from renaissance.pages.runs import PageRun, read_page_run
from renaissance.settings import Settings
from renaissance.tracking.compare import run_names
from renaissance.tracking.listed_run import read_listed
from renaissance.tracking.run_folder import new_numbered_folder

DEFAULT_FOLDER = "reports"  # under log_dir


def write_report(settings: Settings) -> Path:
    """Write the report of the runs that the settings name.

    Args:
        settings: checked for the command `report`.

    Returns:
        the file.

    Raises:
        UserError: no folder can be made.
        DiskFull: there is no room for it.
    """
    assert settings.runs is not None
    names = run_names(settings.runs)
    runs = [read_page_run(read_listed(Path(given), name)) for given, name in zip(settings.runs, names, strict=True)]
    parent = Path(settings.report_dir or Path(settings.log_dir) / DEFAULT_FOLDER)
    path = new_numbered_folder(parent, f"report_dir={parent}") / "report.html"
    with whole_file(path) as temporary:
        temporary.write_text(report_page(runs, {}), encoding="utf-8")
    for run in runs:
        if run.listed.status in sections.STATUS_WORDS:
            print(f"{run.name} {sections.STATUS_WORDS[run.listed.status]}")
    print(f"report: {path}")
    return path


def report_page(runs: Sequence[PageRun], groups: Mapping[str, str]) -> str:
    """The report as one HTML page.

    Args:
        runs: in the order in which they are shown.
        groups: by a run's name the name of its group of seeds; of those that stand in one.
    """
    places = {run.name: f"run-{number}" for number, run in enumerate(runs, start=1)}
    title = f"Report of {runs[0].name}" if len(runs) == 1 else f"Report of {len(runs)} runs"
    differing = sections.settings_that_differ(runs) if len(runs) > 1 else None
    parts: list[tuple[str, str, Html | None]] = [
        (
            "overview",
            "Overview",
            tag("div", sections.overview(runs, places), sections.remarks([r.listed for r in runs])),
        ),
        ("curves", "Curves", tag("div", id="panel") if any(run.drawn for run in runs) else None),
        ("settings", "Settings that differ", differing),
        ("results", "Results", sections.results(runs) if any(run.points for run in runs) else None),
        ("runs", "Each run", tag("div", [sections.run_details(run, places[run.name]) for run in runs])),
    ]
    there = [(place, heading, content) for place, heading, content in parts if content is not None]
    contents = tag("nav", [tag("a", heading, href=f"#{place}") for place, heading, _ in there], aria_label="contents")
    written = f"written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by Renaissance {renaissance.__version__}"
    body = tag(
        "main",
        tag("h1", title),
        tag("p", written, class_="note"),
        contents,
        [tag("section", tag("h2", heading), content, id=place) for place, heading, content in there],
    )
    data = [run.for_charts(groups.get(run.name)) for run in runs]
    return document(title, body, scripts=("report.js",), data=data)
