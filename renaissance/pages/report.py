"""`report`: one self-contained HTML file of some runs, to read, keep and send. No PyTorch here.

Comes in: the folders of runs, however they ended. Goes out: a new numbered folder with `report.html`, which opens from
disk, fetches nothing, and holds settings, curves, tables, samples, environment and commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import renaissance
from renaissance.atomic_files import whole_file
from renaissance.pages import sections
from renaissance.pages.details import run_details
from renaissance.pages.html import Html, document, tag
from renaissance.pages.runs import PageRun, names_of_groups, read_page_run
from renaissance.settings import Settings
from renaissance.tracking.compare import run_names
from renaissance.tracking.groups import seed_groups
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
        temporary.write_text(report_page(runs), encoding="utf-8")
    for run in runs:
        if run.listed.status in sections.STATUS_WORDS:
            print(f"{run.name} {sections.STATUS_WORDS[run.listed.status]}")
    print(f"report: {path}")
    return path


def report_page(runs: Sequence[PageRun]) -> str:
    """The report as one HTML page.

    Args:
        runs: in the order in which they are shown.
    """
    places = {run.name: f"run-{number}" for number, run in enumerate(runs, start=1)}
    title = f"Report of {runs[0].name}" if len(runs) == 1 else f"Report of {len(runs)} runs"
    listed = [run.listed for run in runs]
    groups = seed_groups(listed)
    overview = tag("div", sections.overview(runs, places), sections.remarks(listed))
    parts: list[tuple[str, str, Html | None]] = [
        ("overview", "Overview", overview),
        ("curves", "Curves", tag("div", id="panel") if any(run.drawn for run in runs) else None),
        ("seeds", "Runs that differ in the seed alone", sections.seed_groups_table(groups)),
        ("differences", "Differences", sections.differences_table(groups)),
        ("settings", "Settings that differ", sections.settings_that_differ(listed)),
        ("results", "Results", sections.results(runs) if any(run.points for run in runs) else None),
        ("runs", "Each run", tag("div", [run_details(run, places[run.name]) for run in runs])),
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
    group_of = names_of_groups(groups)
    data = [run.for_charts(group_of.get(run.name)) for run in runs]
    return document(title, body, scripts=("report.js",), data=data)
