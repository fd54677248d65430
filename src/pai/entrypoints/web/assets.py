"""Style sheets, modules and the mark: a fixed table of our own files, so that no path can lead elsewhere."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from pai.foundation.errors import NotFound

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. ``tag`` is its entity tag (RFC 9110 section 8.8.3)."""

    body: bytes
    media_type: str
    tag: str


@functools.cache
def assets() -> dict[str, Asset]:
    """Return all files by name; read once, when the routes are made. A newer version on the disk is for the next start: a module of
    one version with a page of another fits nothing."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in TYPES:
            body = path.read_bytes()
            found[path.name] = Asset(body, TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
    return found


def add(router: APIRouter) -> None:
    """Register ``/static/{name}``, public. The files are read here and now."""
    assets()

    @router.get("/static/{name}")
    async def asset(request: Request, name: str) -> Response:
        """Return one file, or 304 when the browser has it."""
        one = assets().get(name)
        if one is None:
            raise NotFound("no such file")
        # no-cache: kept by the browser, but asked for again each time, so that an update shows at once.
        headers = {"etag": one.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == one.tag:
            return Response(status_code=304, headers=headers)
        return Response(one.body, media_type=one.media_type, headers=headers)
