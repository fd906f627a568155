"""`GET /docs`: the OpenAPI document as a page for people, made here: no script, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{overflow:auto;padding:.5rem;border:1px solid #8884}"
    "h2{border-top:1px solid #8884;padding-top:1rem}b{display:inline-block;min-width:3.5rem}"
)
HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def docs_route(app: FastAPI) -> Route:
    """The page of an application."""

    async def docs(request: Request) -> Response:
        return HTMLResponse(page_of(app.openapi()), headers={"Content-Security-Policy": POLICY})

    return Route("/docs", docs)


def page_of(document: dict[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Addresses of this server</title>",
        f"<style>{STYLE}</style><h1>Addresses of this server</h1>",
        "<p>The same for programs: <a href='openapi.json'>openapi.json</a>. Every model has its addresses below "
        "<code>/models/{name}</code> too.</p>",
    ]
    for path, methods in document["paths"].items():
        if path.startswith("/models/"):
            continue
        for method, operation in methods.items():
            parts.append(f"<h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>")
            parts.append(f"<p>{escape(operation.get('summary', ''))}</p>")
            for parameter in operation.get("parameters", []):
                parts.append(f"<p><code>{escape(parameter['name'])}</code>: {escape(parameter.get('description', ''))}")
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                schema = escape(json.dumps(content["schema"], indent=1))
                parts.append(f"<p>Body, <code>{kind}</code>:</p><pre>{schema}</pre>")
    return "".join([*parts, "</html>"])
