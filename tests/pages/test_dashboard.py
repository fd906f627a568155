"""The dashboard in a browser: curves grow while it is looked at, and a thousand runs are no burden."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from renaissance.pages.dashboard import Dashboard
from renaissance.pages.server import PageServer
from tests.pages.run_folders import CURVES, make_run, rows

Serve = Callable[[Path], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a folder of runs; gives the address."""
    with ExitStack() as stack:

        def start(parent: Path) -> str:
            server = stack.enter_context(PageServer("127.0.0.1", 0, Dashboard(parent).answer))
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            return server.address

        yield start


def path_of(page: Any) -> str:
    return str(page.locator("path.curve").first.get_attribute("d"))


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait for something; not in the page, whose policy lets nothing of others run in it."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(100)
    pytest.fail("waited for 10 seconds")


def test_a_curve_is_seen_to_grow_and_to_be_resumed(tmp_path, serve, open_page):
    run = make_run(tmp_path / "mlm" / "1", {"mlm/val/loss": [(10, 3.0), (20, 2.5)]}, status="")
    page = open_page(serve(tmp_path) + "#runs=mlm%2F1")
    page.locator("path.curve").wait_for(state="attached")
    page.evaluate("Dashboard.CURVE_SECONDS = 0.1")
    before = path_of(page)
    assert before.count("L") == 1
    with (run / "metrics.csv").open("a") as file:
        file.write("30,0.3,mlm/val/loss,2.25\n40,0.4,mlm/val/l")
    until(page, lambda: path_of(page).count("L") == 2)
    page.locator("figure.chart svg").focus()
    page.keyboard.press("End")
    assert "2.25" in page.locator(".tip").inner_text()
    (run / "metrics.csv").write_text("step,epoch,name,value\n" + rows({"mlm/val/loss": [(10, 3.0), (15, 7.5)]}))
    until(page, lambda: "7.5" in page.locator(".tip").inner_text())
    assert path_of(page).count("L") == 1


def test_seeds_are_chosen_at_once_and_have_their_band(tmp_path, serve, open_page):
    for seed in range(3):
        make_run(tmp_path / "mlm" / str(seed + 1), seed=seed)
    make_run(tmp_path / "mlm" / "4", learning_rate=0.5)
    page = open_page(serve(tmp_path))
    page.get_by_role("button", name="3 seeds").first.click()
    page.locator("path.band").first.wait_for(state="attached")
    assert page.locator("tr.chosen").count() == 3
    page.get_by_label("choose mlm/4").check()
    page.get_by_role("row", name="learning_rate").last.wait_for()
    assert page.get_by_role("row", name="learning_rate").last.inner_text().split() == [
        "learning_rate", "1e-05", "1e-05", "1e-05", "0.5"]  # fmt: skip


def test_a_thousand_runs_are_sorted_and_filtered_on_a_phone(tmp_path, serve, open_page):
    model = make_run(tmp_path / "one" / "1")
    config, start, summary = ((model / name).read_text() for name in ("config.json", "command.json", "summary.json"))
    for number in range(1000):
        folder = tmp_path / "many" / str(number)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(config.replace("1e-05", f"{(number + 1) / 1e6}", 1))
        (folder / "command.json").write_text(start)
        (folder / "summary.json").write_text(summary)
        (folder / "metrics.csv").write_text(f"step,epoch,name,value\n10,1,mlm/val/loss,{2 + number / 1000}\n")
    page = open_page(serve(tmp_path), viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.get_by_text("1,001 of 1,001 runs").wait_for()
    assert page.locator("table.runs tbody tr").count() == 50
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="sort by best").click()
    assert page.locator("table.runs tbody tr").first.get_attribute("data-run") == "many/999"
    page.get_by_role("button", name="sort by best").press("Enter")
    assert page.locator("table.runs tbody tr").first.get_attribute("data-run") == "many/0"
    page.get_by_role("button", name="further rows").click()
    assert page.locator("table.runs tbody tr").first.get_attribute("data-run") == "many/50"
    page.get_by_label("filter runs").fill("learning_rate=0.000121 finished")
    page.get_by_text("1 of 1,001 runs").wait_for()
    assert page.locator("table.runs tbody tr").get_attribute("data-run") == "many/120"


def test_names_and_settings_of_runs_are_texts(tmp_path, serve, open_page):
    hostile = '<img src=x onerror="window.hit=1">'
    curves = {**CURVES, f"{hostile}/val/x": [(1, 1.0)]}
    make_run(tmp_path / hostile / "1", curves, command=[hostile], clip_model=hostile)
    make_run(tmp_path / "b" / "1")
    page = open_page(serve(tmp_path))
    page.get_by_label(f"choose {hostile}/1").check()
    page.get_by_label("choose b/1").check()
    page.locator("section[data-run] h3").nth(1).wait_for()
    page.locator("figure.chart svg").first.focus()
    page.keyboard.press("End")
    assert hostile in page.locator(".tip").first.inner_text()
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0


def test_the_page_says_so_when_the_server_is_gone(tmp_path, open_page):
    make_run(tmp_path / "mlm" / "1")
    with PageServer("127.0.0.1", 0, Dashboard(tmp_path).answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        page = open_page(server.address, errors_allowed=True)
        page.get_by_label("choose mlm/1").wait_for()
        page.evaluate("Dashboard.LISTING_SECONDS = 0.1")
        server.shutdown()
    page.get_by_text("The dashboard does not answer").wait_for()
    assert page.locator("table.runs tbody tr").count() == 1
