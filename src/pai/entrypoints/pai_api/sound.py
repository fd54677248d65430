"""Recordings that a client sends to be written down, told of while they are listened to. Nothing of them is kept."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pai.core.perception.ports import TRANSCRIPTION
from pai.core.perception.values import Heard, Wish
from pai.core.policy.values import Permission
from pai.entrypoints.http.dialects import error_body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.server_events import named
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.http.uploads import arriving_files
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError
from pai.foundation.labels import Label, parse_label

router = APIRouter(prefix="/pai/v1")


@guarded(router, "POST", "/transcriptions", Permission.HEAR)
async def transcribe(request: Request, actor: Annotated[Actor, Depends(requires(Permission.HEAR))]) -> Any:
    """Write down a recording, as events ``heard`` and, in the end, ``done`` (multipart: before the field ``file`` optional ``label``,
    ``model``, ``language``, ``prompt`` and ``task``, which is transcribe or translate)."""
    known = ("label", "model", "language", "prompt", "task", "stream")
    async with arriving_files(request, actor, fields=known, most=1) as arriving:

        def field(name: str) -> str:
            return arriving.values.get(name, [""])[-1]

        if field("task") not in ("", "transcribe", "translate"):
            raise Invalid("task is transcribe or translate", code="bad_field", hint="leave it out for transcribe")
        wish = Wish(field("language").lower(), field("task") == "translate", field("prompt"))
        label = parse_label(field("label") or Label.CONFIDENTIAL.value)
        hearing = services_of(request).hearing
        model = await hearing.listener(actor, label, field("model") or TRANSCRIPTION, wish)
        parts = while_valid(request, actor, hearing.hear(model, arriving[0].data, wish))
        first = await first_of(parts)
    about = {"model": model.name, "label": label.value, "task": "translate" if wish.translate else "transcribe"}
    return PieceResponse(_told(request, about, first, parts), parts, media_type="text/event-stream")


async def _told(
    request: Request, about: dict[str, str], first: Heard | None, rest: AsyncGenerator[Heard, None]
) -> AsyncGenerator[bytes, None]:
    part = first
    last = first
    try:
        while part is not None:
            last = part
            yield named("heard", {"segments": part.segments, "until": part.until, "total": part.total})
            part = await anext(rest, None)
        told = {"language": last.language, "duration": last.total} if last is not None else {}
        yield named("done", {**about, **told})
    except PaiError as error:
        yield named("error", error_body(request, error))
    finally:
        await rest.aclose()
