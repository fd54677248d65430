"""What attacks on pages share: names, hostile words, and what a browser would make of a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx

from installation import PASSWORD, Installation, secret_file
from registered import all_routes

COOKIE = "__Host-pai_session"
PUBLIC = {"/healthz", "/readyz", "/login", "/setup", "/", "/static/{name}"}
ROUTES = all_routes()
UNSAFE = [(m, re.sub(r"{\w+}", "anything", p)) for m, p in ROUTES if m != "GET" and p not in PUBLIC]
OWN = [(m, p) for m, p in UNSAFE if not p.startswith(("/v1", "/api"))]
SLOWLY = "Slowly: " + " ".join(f"word{n}" for n in range(400))
MARKER = "marmalade-submarine-47"
EVIL = "\"><script>evil()</script><img src=//evil.example/x onerror=evil()>'"
SMALL_EVIL = "<script>evil()</script>"


def add(served: Installation, email: str, role: str = "member") -> dict[str, str]:
    file = secret_file(served.folder / f"password-{email}", PASSWORD)
    made: dict[str, str] = served.ok("user", "add", email, "--role", role, "--password-file", str(file))
    return made


class Page(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_safe(answer: httpx.Response, *, plays: bool = False) -> Page:
    """The page runs nothing inline and names no other origin; its headers forbid both as well. Only one that ``plays`` what its own
    script holds in memory may take sound from there (``media-src blob:``), and nothing else."""
    page = Page(answer.text)
    assert page.tags
    for tag, attributes in page.tags:
        assert tag not in {"style", "base", "iframe", "object", "embed"}, tag
        if tag == "script":
            assert re.fullmatch(r"/static/\w+\.js", attributes.get("src", "")), attributes
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "srcdoc", "formaction"}, (tag, name)
            if name in {"src", "href", "action", "data-send", "srcset", "poster", "xlink:href"}:
                assert re.match(r"/(?!/)|#", value), (tag, name, value)
    assert not re.search(r"<script[^>]*>[^<]", answer.text)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy.pop("media-src", None) == ("blob:" if plays else None)
    assert not re.search(r"unsafe|https?:|\*|data:|blob:", " ".join(policy.values()))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert (
        answer.headers["cross-origin-opener-policy"] == answer.headers["cross-origin-resource-policy"] == "same-origin"
    )
    assert "access-control-allow-origin" not in answer.headers
    return page
