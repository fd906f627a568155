"""The fixture that opens pages: scripts run in them, and their errors are noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser import note_errors


def test_a_page_is_opened_and_its_scripts_run(open_page: Callable[..., Any]) -> None:
    page = open_page("data:text/html,<p id=sum></p><script>sum.textContent = 1 + 2</script>")
    assert page.text_content("#sum") == "3"


def test_the_errors_of_a_page_are_noticed(open_page: Callable[..., Any]) -> None:
    page, errors = open_page("about:blank", errors_allowed=True), []
    note_errors(page, errors)
    page.goto("data:text/html,<script>console.error('one'); missing()</script>")
    assert errors == ["one", "missing is not defined"]
