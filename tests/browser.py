"""A browser for tests of pages: the system's Chromium without a window, driven by Playwright's Python package.

`open_page(address)` opens a page; a message of the page's console that is an error, or an exception of its scripts,
fails the test that opened it. Tests are skipped, with the reason, where Playwright or Chromium is missing: nothing is
downloaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 15_000  # milliseconds that a page may take to show what is waited for


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running browser.

    It ends with the module that asked for it: as long as Playwright runs, so does its event loop in this thread, and
    nothing else in it could call `asyncio.run`.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # it refuses to start otherwise
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=as_root)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a fresh profile, and closes them after the test.

    Called with an address, with `errors_allowed=True` for a page that is not ours, and with Playwright's options of a
    context, such as `viewport={"width": 390, "height": 844}` or `color_scheme="dark"`.
    """
    errors: list[str] = []

    def open_one(address: str, *, errors_allowed: bool = False, **options: Any) -> Page:
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(PATIENCE)
        if not errors_allowed:
            note_errors(page, errors)
        page.goto(address)
        return page

    yield open_one
    for context in browser.contexts:
        context.close()
    assert not errors


def note_errors(page: Page, errors: list[str]) -> None:
    """Append to `errors` every exception of a page's scripts and every error in its console, as they come."""
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
