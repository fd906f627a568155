"""How soon the dashboard shows a list of many runs, from the browser's call for the page to its first rows.

    python -m benchmarks.dashboard [--runs 1000] [--times 9]

In: nothing; folders of runs are written as runs leave them, every tenth one crashed, each with metrics of 100
validations. Out: median and middle half, in a headless Chromium, of the time to the page's first paint and to its first
rows: the first time that a dashboard that was just started is asked, when it reads all folders, and the second. Aim:
first rows within 2 s the first time, on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.runs import write_runs
from benchmarks.timing import machine, summarise
from renaissance.pages.dashboard import Dashboard
from renaissance.pages.server import PageServer

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
ROWS = "performance.getEntriesByName('first-rows')[0].startTime"
ROOT_FLAG = ("--no-sandbox",)  # Chromium does not start as root otherwise


def main() -> None:
    """Write the runs, look at them again and again, and print how long that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="folders of runs")
    parser.add_argument("--times", type=int, default=9, help="how many dashboards are started")
    arguments = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        print("no chromium here: the dashboard is not measured")
        return
    print(machine())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        write_runs(Path(folder), arguments.runs)
        browser = driver.chromium.launch(executable_path=program, args=ROOT_FLAG)
        looks = [look_twice(browser, Path(folder)) for _ in range(arguments.times)]
        browser.close()
    for place, words in enumerate(("just started", "asked before")):
        _print(f"first paint, {words}", [look[place][0] for look in looks])
        _print(f"first rows, {words}", [look[place][1] for look in looks])
    print(f"(medians of {arguments.times}, with their middle half; {arguments.runs:,} runs)")


def look_twice(browser: Browser, parent: Path) -> list[tuple[float, float]]:
    """Start a dashboard and open its page twice.

    Args:
        browser: each page gets a profile of its own there.
        parent: the folder of the runs.

    Returns:
        of each time the milliseconds to the first paint and to the first rows.
    """
    with PageServer("127.0.0.1", 0, Dashboard(parent).answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = []
        for _ in range(2):
            page = browser.new_page()
            page.goto(server.address)
            page.locator("table.runs tbody tr").first.wait_for()
            page.wait_for_timeout(100)  # a paint is told of a moment later
            found.append((float(page.evaluate(PAINT)), float(page.evaluate(ROWS))))
            page.close()
        server.shutdown()
    return found


def _print(words: str, milliseconds: Sequence[float]) -> None:
    print(f"{words:28} {summarise(milliseconds)} ms", flush=True)


if __name__ == "__main__":
    main()
