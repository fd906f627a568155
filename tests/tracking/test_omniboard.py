"""A recorded run as Omniboard shows it, in a browser: the run, its metrics' curves, its artefacts.

Omniboard is installed from npm into a temporary folder, which takes one to two minutes; `RENAISSANCE_OMNIBOARD` names
a folder where `npm install omniboard@2.16` was done already. Skipped where node, npm, the network or a browser is
missing.
"""

from __future__ import annotations

import math
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tests.tracking.recorded import RecordedRun

VERSION = "2.16"
INSTALL_SECONDS, START_SECONDS = 400, 60


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """Omniboard's program."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node or npm is not installed, which Omniboard needs")
    given = os.environ.get("RENAISSANCE_OMNIBOARD")
    folder = Path(given) if given else tmp_path_factory.mktemp("omniboard")
    if not given:
        command = ["npm", "install", f"omniboard@{VERSION}", "--no-audit", "--no-fund", "--prefix", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm could not install Omniboard: {error}")
    return folder / "node_modules" / "omniboard" / "dist" / "start.js"


@pytest.fixture
def omniboard(program, database, mongo) -> Iterator[str]:
    """The address of Omniboard's page for the test's database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = f"{mongo.address.removeprefix('mongodb://')}:{database.name}"
    command = ["node", str(program), "-m", where]
    started = subprocess.Popen(command, env={**os.environ, "PORT": str(port)}, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < end, "Omniboard did not start"
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/sacred"
    started.kill()
    started.wait()


@pytest.mark.long
def test_omniboard_shows_a_run_its_curves_and_its_artefacts(omniboard, open_page, database, mongo, tmp_path):
    run = RecordedRun(tmp_path, f"{mongo.address}/{database.name}")
    for step in range(10, 25_010, 10):
        values = {"itm/train/loss": math.exp(-step / 8000) + 0.05 * math.sin(step)}
        run.log(step, values | ({"itm/val/loss": math.exp(-step / 9000)} if step % 1000 == 0 else {}))
    run.log(25_010, {"itm/val/loss": math.nan})
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    (tmp_path / "plots").mkdir()
    figure.savefig(tmp_path / "plots" / "itm_loss.png")
    run.beat("step 10/25010  itm loss 0.9\n")
    run.complete()

    page = open_page(omniboard, errors_allowed=True, viewport={"width": 1600, "height": 1300})
    page.get_by_text("1 experiments").wait_for()
    assert page.get_by_text("COMPLETED", exact=True).last.is_visible()
    page.locator("[test-attr='cell-row_expander-0']").click(force=True)
    page.get_by_text("Metrics to plot").wait_for()
    page.locator(".scatterlayer .js-line").nth(1).wait_for()
    lengths = page.locator(".scatterlayer .js-line").evaluate_all("lines => lines.map(line => line.getTotalLength())")
    assert min(lengths) > 100, "both curves are drawn"
    page.screenshot(path=tmp_path / "curves.png")
    page.get_by_text("Artifacts", exact=True).click()
    for name in ("config.json", "metrics.csv", "plots_itm_loss.png"):
        page.get_by_role("heading", name=name, exact=True).wait_for()
    page.get_by_role("heading", name="plots_itm_loss.png", exact=True).click()
    picture = page.locator("img[src*='plots_itm_loss.png']")
    picture.wait_for()
    page.wait_for_function("() => document.querySelector(\"img[src*='plots_itm_loss.png']\").naturalWidth > 100")
    page.screenshot(path=tmp_path / "artefacts.png")
    with page.expect_download() as download:
        page.locator("[test-attr='down-btn-plots_itm_loss.png']").click()
    assert Path(download.value.path()).read_bytes() == (tmp_path / "plots" / "itm_loss.png").read_bytes()
    page.get_by_text("Captured Out", exact=True).click()
    page.get_by_text("itm loss 0.9").wait_for()
