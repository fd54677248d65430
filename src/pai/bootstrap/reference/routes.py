"""Every registered route with its permission, and the OpenAPI description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from pai.bootstrap.application import application
from pai.bootstrap.reference.markdown import code, document, first, table
from pai.core.policy.values import SCOPES, Permission
from pai.core.ports.metrics import SILENT
from pai.entrypoints.console.commands import COMMANDS
from pai.entrypoints.http.routing import permission_of, routes_of
from pai.entrypoints.http.services import Services

_INTRODUCTION = """
This is every path that the server answers. A route that names no permission and is not on the public list stops the server from
starting; whoever comes without a valid credential gets 401, 403 or 404 from all but the public ones. The scope is what an API key
needs; a browser session needs none. The policies decide on top of it: [permissions](permissions.md). Errors: [errors](errors.md).
Bodies and parameters: [openapi.json](openapi.json), which a server also gives at `/pai/v1/openapi.json`.
"""
_KINDS = {
    "public": ("Public", "They answer without a credential."),
    "/v1/messages": (
        "Anthropic's dialect",
        "`x-api-key: KEY` or `Authorization: Bearer KEY`; cookies do not open these.",
    ),
    "/v1": (
        "OpenAI's dialect",
        "`Authorization: Bearer KEY`; cookies do not open these. With the header `anthropic-version`, models are told in "
        "Anthropic's dialect, to its credentials.",
    ),
    "/api": ("Ollama's dialect", "`Authorization: Bearer KEY`; cookies do not open these."),
    "/pai/v1": (
        "PAI's own API",
        "A key, or a browser session; with a session, what changes something needs the header `x-csrf-token`.",
    ),
    "/metrics": ("Metrics", "A key with the scope `metrics`, or an administrator's session."),
    "": ("Pages", "For browsers: a session, and the header `x-csrf-token` for what changes something."),
}
_CONSOLE = """
`$PAI_HOME/run/control.sock` (mode 0600) takes `POST /console/<command>` from processes of the home's owner. The commands of
`pai` on the machine of the installation come in here.
"""


@dataclass(frozen=True, slots=True)
class Registered:
    """One method of one path. ``permission`` is None for public ones."""

    method: str
    path: str
    permission: Permission | None
    about: str


def _application() -> Any:
    """Return the application; making it calls none of the use cases."""
    nothing = SimpleNamespace(json_bytes=1, upload_bytes=1, hosts=frozenset(), meter=SILENT)
    return application(cast("Services", nothing)).inner


def registered() -> Iterator[Registered]:
    """Yield every method of every route."""
    for route in routes_of(_application()):
        named = permission_of(route)
        for method in sorted(route.methods - {"HEAD"}):
            yield Registered(method, route.path, Permission(named) if named else None, first(route.endpoint))


def page() -> str:
    """Return the page on routes."""
    found: dict[str, list[Registered]] = {kind: [] for kind in _KINDS}
    for one in sorted(registered(), key=lambda one: (one.path, one.method)):
        found[_kind(one)].append(one)
    parts = []
    for kind, (title, text) in _KINDS.items():
        parts += [f"## {title}", text, _table(found[kind], public=kind == "public")]
    console = table(("command", "what it does"), [(code(name), first(run)) for name, run in COMMANDS.items()])
    return document("Routes", "the registered routes", _INTRODUCTION, *parts, "## Console", _CONSOLE, console)


def _kind(one: Registered) -> str:
    if one.permission is None:
        return "public"
    return next(prefix for prefix in _KINDS if prefix != "public" and one.path.startswith(prefix))


def _table(found: list[Registered], *, public: bool) -> str:
    if public:
        return table(("route", "what it does"), [(code(f"{one.method} {one.path}"), one.about) for one in found])
    rows = []
    for one in found:
        scope = SCOPES[one.permission] if one.permission else None
        rows.append(
            (code(f"{one.method} {one.path}"), one.about, code(one.permission), code(scope) if scope else "any")
        )
    return table(("route", "what it does", "permission", "scope"), rows)


def openapi() -> str:
    """Return the OpenAPI description as JSON."""
    return json.dumps(_application().openapi(), indent=1, ensure_ascii=False) + "\n"
