"""HTML that is safe by construction: every text is escaped, every page says what it may load.

Comes in: texts of whatever origin, a run's settings and captions among them. Goes out: `Html`, a text that is HTML
already; only `tag` and `document` make one.

A page's Content-Security-Policy names the hashes of its own script and style, so nothing else in it is ever run, and no
address is ever fetched. https://www.w3.org/TR/CSP3/
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from renaissance.atomic_files import strict_json

ASSETS = Path(__file__).parent / "assets"
CHARTS = ("elements.js", "numbers.js", "chart.js", "panel.js")  # what every page with charts runs first
VOID = ("br", "col", "img", "input", "link", "meta")  # elements that have no end


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


Content = Html | str | int | float | None | Iterable["Content"]


def escaped(text: str) -> Html:
    """A text as HTML, for content and quoted attributes; halves of characters, which UTF-8 cannot hold, as escapes."""
    return Html(html.escape(text.encode("utf-8", "backslashreplace").decode()))


def tag(name: str, /, *children: Content, **attributes: str | bool | int | None) -> Html:
    """An element.

    Args:
        name: such as "td".
        children: texts, which are escaped, numbers as texts show them, elements, or several of these; None is nothing.
        attributes: a `_` at the end is left out (`class_`), one inside is a hyphen (`data_run`); False and None leave
            the attribute out.
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{told}>" if name in VOID else f"<{name}{told}>{_inner(children)}</{name}>")


def _inner(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Html):
        return content
    if isinstance(content, str | int | float):
        return escaped(number_text(content))
    return "".join(_inner(child) for child in content)


def number_text(value: object) -> str:
    """A value as a table shows it: numbers short, nothing as a dash, anything else as it is."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(header: Sequence[Content], rows: Iterable[Sequence[Content]], class_: str = "") -> Html:
    """A table with its first column as the rows' headings; wide ones scroll in a box of their own."""
    lines = [list(row) for row in rows]
    numeric = [any(_is_number(line[place]) for line in lines if place < len(line)) for place in range(len(header))]
    heads = [
        tag("th", cell, scope="col", class_="number" if number else None)
        for cell, number in zip(header, numeric, strict=True)
    ]
    head = tag("thead", tag("tr", heads))
    body = tag("tbody", [tag("tr", tag("th", row[0], scope="row"), map(_cell, row[1:])) for row in lines])
    return tag("div", tag("table", head, body, class_=class_ or None), class_="wide", tabindex=0)


def _cell(cell: Content) -> Html:
    return tag("td", cell, class_="number" if _is_number(cell) else None)


def _is_number(cell: Content) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def safe_json(value: Any) -> str:
    """A value as JSON that can stand in a script element: strict, ASCII, without what could end the element."""
    text = json.dumps(strict_json(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def document(title: str, body: Html, *, scripts: Sequence[str], data: Any = None, connects: bool = False) -> str:
    """A whole page, with its style, scripts and data in it.

    Args:
        title: of the page.
        body: its content.
        scripts: files of `assets/` that it runs behind those of the charts, in order.
        data: what its scripts read from the element "data".
        connects: whether it may ask the server that it came from, and show that one's images.
    """
    script = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in (*CHARTS, *scripts))
    style = (ASSETS / "page.css").read_text(encoding="utf-8")
    own, asked = (" 'self'", "'self'") if connects else ("", "'none'")
    policy = "; ".join((
        "default-src 'none'", f"script-src {_hash(script)}", f"style-src {_hash(style)}", f"img-src data:{own}",
        f"connect-src {asked}", "base-uri 'none'", "form-action 'none'",
    ))  # fmt: skip
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        Html(f"<style>{style}</style>"),
    )
    contents = tag(
        "body",
        tag("button", "light / dark", id="theme", type="button", title="turn the page light or dark"),
        body,
        Html(f'<script type="application/json" id="data">{safe_json(data)}</script>'),
        Html(f"<script>{script}</script>"),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{contents}</html>\n'


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
