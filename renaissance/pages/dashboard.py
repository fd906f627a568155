"""`dashboard`: the runs below a folder in a browser, as they go on; read-only. No PyTorch here.

    GET /                                    the page, which asks for the rest
    GET /api/runs                            every run as a row, with the settings in which runs differ
    GET /api/curves?run=…&metrics=…&pace=…   what was added to a run's curves since the cursors of the last answer
    GET /api/run?run=…                       a run's settings, figures, commands and the names of its sheets
    GET /sheet?run=…&name=…                  a sheet of samples

A run is named as the listing names it; no path that a request holds is ever opened.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from renaissance.pages.growing import read_on
from renaissance.pages.html import document, safe_json, tag
from renaissance.pages.pictures import LARGEST_FILE
from renaissance.pages.points import columns, metric_points, pace_points
from renaissance.pages.reading import read_bounded, read_values
from renaissance.pages.runs import changed_settings, names_of_groups, read_sheets, setting_text
from renaissance.pages.server import Answer, PageServer, Request
from renaissance.settings import Settings
from renaissance.tracking.groups import seed_groups
from renaissance.tracking.listed_run import ListedRun
from renaissance.tracking.listing import RunIndex
from renaissance.tracking.pace import first_interval
from renaissance.tracking.runs import differing

FRESH_SECONDS = 1.0  # that a listing is handed out again before the folders are looked at once more
PNG = b"\x89PNG\r\n\x1a\n"


def serve_dashboard(settings: Settings) -> None:
    """Serve the page until a signal stops the process.

    Args:
        settings: checked for the command `dashboard`.

    Raises:
        UserError: it cannot listen at the address.
        Interrupted: the rule: Ctrl-C or SIGTERM.
    """
    dashboard = Dashboard(Path(settings.log_dir))
    with PageServer(settings.dashboard_host, settings.dashboard_port, dashboard.answer) as server:
        threading.Thread(target=dashboard.look, daemon=True).start()  # while a browser is still being opened
        print(f"dashboard of {settings.log_dir}: {server.address} (Ctrl-C ends it)", flush=True)
        if not server.is_private:
            print(
                f"warning: whoever can reach {settings.dashboard_host} sees these runs; there is no password",
                flush=True,
            )
        server.serve_forever()


class Dashboard:
    """Answers what the dashboard's page asks.

    Args:
        parent: the folder of the runs.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._index = RunIndex(parent)
        self._lock = threading.Lock()  # the index is for one thread at a time
        self._runs: dict[str, ListedRun] = {}
        self._table = Answer(b"")
        self._read_at = float("-inf")
        self._page = _page(parent).encode()

    def answer(self, request: Request) -> Answer | None:
        """Answer a request; None where there is nothing of that name."""
        if request.path == "/":
            return Answer(self._page, "text/html")
        if request.path == "/api/runs":
            return self._listing(request.known)
        if request.path not in ("/api/curves", "/api/run", "/sheet"):
            return None
        run = self._run(request.query.get("run", ""))
        if run is None:
            return None
        if request.path == "/sheet":
            return _sheet(run, request.query.get("name", ""))
        return _json(_curves(run, request.query) if request.path == "/api/curves" else _details(run))

    def _listing(self, known: str) -> Answer:
        self.look()
        table = self._table
        return Answer(b"", status=304, headers=table.headers) if known == table.headers["ETag"] else table

    def _run(self, name: str) -> ListedRun | None:
        if name not in self._runs:
            self.look()
        return self._runs.get(name)

    def look(self) -> None:
        """Look at the folders, unless that was a moment ago."""
        with self._lock:
            if time.monotonic() - self._read_at < FRESH_SECONDS:
                return
            runs = {run.name: run for run in self._index.runs()}
            # The index hands out the same record as long as nothing of a run has changed.
            if not self._table.content or list(map(id, runs.values())) != list(map(id, self._runs.values())):
                content = _json(_table(list(runs.values()))).content
                name = hashlib.blake2b(content, digest_size=12).hexdigest()
                self._table = Answer(content, headers={"ETag": f'"{name}"'})
            self._runs = runs
            self._read_at = time.monotonic()


def _page(parent: Path) -> str:
    body = tag(
        "main",
        tag("h1", f"Runs of {parent}"),
        tag("noscript", "This page needs its script."),
        tag("div", id="dashboard"),
    )
    return document(f"Runs of {parent}", body, scripts=("runs_table.js", "dashboard.js"), connects=True)


def _table(runs: list[ListedRun]) -> dict[str, Any]:
    """The listing as the page takes it: columns by name, and a row a run."""
    names, groups = differing(runs), names_of_groups(seed_groups(runs))
    return {
        "settings": names,
        "runs": [
            {
                "name": run.name, "status": run.status, "tasks": run.tasks, "seed": run.seed, "started": run.started,
                "seconds": run.seconds, "step": run.step, "total_steps": run.total_steps, "monitor": run.monitor,
                "more_is_better": run.more_is_better, "best": run.best, "best_step": run.best_step,
                "tested": run.tested, "remark": run.error or run.remark, "group": groups.get(run.name),
                "settings": [setting_text(name, run.settings.get(name)) for name in names] if run.settings else [],
            }
            for run in runs
        ],
    }  # fmt: skip


def _curves(run: ListedRun, cursors: Mapping[str, str]) -> dict[str, Any]:
    """What was added to a run's curves.

    Args:
        run: the run.
        cursors: those of the last answer, "metrics" and "pace"; empty for all.
    """
    folder = run.folder.path
    metrics = read_on(folder, "metrics.csv", cursors.get("metrics", ""))
    pace = read_on(folder, "pace.csv", cursors.get("pace", ""))
    curves, clock = pace_points(pace.lines)
    points, thinned = columns(metric_points(metrics.lines))
    paced, paced_thinned = columns(curves)
    shortened = metrics.shortened or pace.shortened
    return {
        "points": points, "anew": metrics.anew, "paced": paced, "clock": clock, "pace_anew": pace.anew,
        "interval": first_interval(run.settings), "thinned": thinned or paced_thinned or shortened,
        "cursors": {"metrics": metrics.cursor, "pace": pace.cursor},
    }  # fmt: skip


def _details(run: ListedRun) -> dict[str, Any]:
    """What the page shows of a run that is chosen."""
    changed = changed_settings(run.settings)
    return {
        "folder": str(run.folder.path),
        "settings": [[name, setting_text(name, value), name in changed] for name, value in run.settings.items()],
        "summary": read_values(run.folder.path, "summary.json"),
        "command": read_values(run.folder.path, "command.json"),
        "versions": run.versions,
        "sheets": read_sheets(run.folder.path),
    }


def _sheet(run: ListedRun, name: str) -> Answer | None:
    """A sheet of a run's samples, if the run has one of this name."""
    if name not in read_sheets(run.folder.path):
        return None
    try:
        content = read_bounded(run.folder.path, name, LARGEST_FILE)
    except OSError:
        return None
    return Answer(content, "image/png") if content.startswith(PNG) else None


def _json(value: Any) -> Answer:
    return Answer(safe_json(value).encode())
