"""Templates of the pages: always escaped, undefined names are errors, and a Content-Security-Policy on each."""

from __future__ import annotations

import functools
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from pai.foundation.time import to_text

FOLDER = Path(__file__).parent / "templates"
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "font-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    )
)  # fmt: skip
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
}
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


@functools.cache
def templates() -> Environment:
    """Return the environment; made once, with all templates, when the routes are made: pages are of the same version as the code and
    the modules that go with them, whatever comes to lie on the disk."""
    sources = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.html"))}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters.update(when=when, bytes=size_text, browser=browser_name, breakable=breakable)
    environment.globals.update(csrf="")
    return environment


def page(name: str, status: int = 200, *, plays: bool = False, **context: Any) -> HTMLResponse:
    """Return a page. ``name`` is a template without its suffix; ``plays``: it plays what its own script holds in memory."""
    headers = HEADERS
    if plays:
        # Addresses of the scheme blob are made by scripts of this origin alone, and lead to what they hold: nothing is fetched.
        policy = f"{CONTENT_SECURITY_POLICY}; media-src blob:"
        headers = {**HEADERS, "content-security-policy": policy}
    return HTMLResponse(templates().get_template(f"{name}.html").render(context), status, headers)


def when(moment: datetime) -> Markup:
    """Return a time element in UTC; the browser shows it in its own zone."""
    # Markup.format escapes what it puts in.
    return Markup('<time datetime="{}">{} UTC</time>').format(to_text(moment), f"{moment:%d %b %Y, %H:%M}")


def breakable(name: str) -> Markup:
    """Return a file name that may be broken where its parts meet, and not in the middle of a word."""
    return Markup("<wbr>").join(re.split(r"(?<=[_-])(?=\w)", name))


def size_text(size: int) -> str:
    """Return bytes as people read them: ``980 B``, ``12 KB``, ``3.4 MB``."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} KB"
    return f"{size / 1_000_000:.1f} MB"


def browser_name(agent: str) -> str:
    """Return browser and system of a User-Agent header, such as ``Firefox on Linux``."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or re.sub(r"[^\x20-\x7e]", "", agent)[:40] or "unknown"
