"""Pictures and scans that a client sends to be read. Nothing of them is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pai.core.perception.layout import paragraphs
from pai.core.perception.ports import OCR
from pai.core.perception.values import Page
from pai.core.policy.values import Permission
from pai.entrypoints.http.dialects import error_body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.server_events import named
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.http.uploads import ArrivingFiles, arriving_files
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError
from pai.foundation.labels import Label, parse_label

router = APIRouter(prefix="/pai/v1")


@guarded(router, "POST", "/ocr", Permission.READ_PICTURES)
async def read_picture(request: Request, actor: Annotated[Actor, Depends(requires(Permission.READ_PICTURES))]) -> Any:
    """Read the text of a picture or a PDF (multipart: before the field ``file`` optional ``label``, ``model`` and ``stream``); with
    ``stream`` true as events ``page`` and, after the last, ``done``."""
    async with arriving_files(request, actor, fields=("label", "model", "stream"), most=1) as arriving:
        seeing, label = services_of(request).seeing, _label(arriving)
        model = await seeing.reader(actor, label, _field(arriving, "model") or OCR)
        about = {"model": model.name, "label": label.value}
        pages = while_valid(request, actor, seeing.read(model, arriving[0].data))
        first = await first_of(pages)  # what is refused before the first page gets its status
    if _streamed(arriving):
        return PieceResponse(_told(request, about, first, pages), pages, media_type="text/event-stream")
    found = [first] if first is not None else []
    async with aclosing(pages):
        found += [page async for page in pages]
    shown = [_page(page) for page in found]
    return {**about, "pages": shown, "text": "\n\n".join(page["text"] for page in shown)}


def _field(arriving: ArrivingFiles, name: str) -> str:
    return arriving.values.get(name, [""])[-1]


def _label(arriving: ArrivingFiles) -> Label:
    return parse_label(_field(arriving, "label") or Label.CONFIDENTIAL.value)


def _streamed(arriving: ArrivingFiles) -> bool:
    given = _field(arriving, "stream").lower()
    if given not in ("", "true", "false"):
        raise Invalid("stream is true or false", code="bad_field", hint="leave it out for false")
    return given == "true"


async def _told(
    request: Request, about: dict[str, str], first: Page | None, rest: AsyncGenerator[Page, None]
) -> AsyncGenerator[bytes, None]:
    page, text = first, []
    try:
        while page is not None:
            shown = _page(page)
            text.append(shown["text"])
            yield named("page", shown)
            page = await anext(rest, None)
        yield named("done", {**about, "pages": len(text)})
    except PaiError as error:
        yield named("error", error_body(request, error))
    finally:
        await rest.aclose()


def _page(page: Page) -> dict[str, Any]:
    """A page: boxes are corners in pixels of the page made upright, clockwise from where the text begins."""
    return {
        "page": page.number, "of": page.of, "width": page.width, "height": page.height, "turned": page.turned,
        "text": "\n\n".join(paragraphs(page)),
        "lines": [
            {"text": line.text, "confidence": line.confidence, "box": [[round(x, 1), round(y, 1)] for x, y in line.box]}
            for line in page.lines
        ],
    }  # fmt: skip
